package ingest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/lectiospace/lectern/internal/archive"
	"github.com/lectiospace/lectern/internal/failpoint"
	"github.com/lectiospace/lectern/internal/ffmpeg"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/store"
)

// joined is what is ready to be archived. Without a path the recording's own file stays as
// it is.
type joined struct {
	path     string
	size     int64
	md5      string // lower-case hex
	sha256   string // lower-case hex
	duration time.Duration
	notes    []note // for the history
	// of are the parts that the file is made of.
	of []store.File
	// apart are the inputs that are archived beside it since no join passes, beside the
	// files that they have become; join names the join that did not pass.
	apart  []joinInput
	beside []store.RecordingFile
	join   string
}

// nothing reports whether there is nothing to archive.
func (m joined) nothing() bool { return m.path == "" && len(m.apart) == 0 }

// readChecksums reads the file for its size and its checksums.
func (m *joined) readChecksums(ctx context.Context) (err error) {
	sums, err := archive.FileSums(ctx, m.path)
	m.size, m.md5, m.sha256 = sums.Size, sums.MD5, sums.SHA256
	return err
}

// note is an entry for the history.
type note struct{ what, detail string }

// build fetches the parts and joins them. What is learnt on the way changes the choice
// of the parts: how long each of them really is, and which are no recordings.
func (r *run) build(ctx context.Context) (joined, error) {
	inputs, err := r.collect(ctx)
	if err != nil || len(inputs) == 0 {
		return joined{}, err
	}
	out, err := joined{}, errTriedInVain
	if len(inputs) == 1 || !triedInVain(r.parts, r.s.joinName(r.plan)) {
		err = step(ctx, "join", func(ctx context.Context) (err error) {
			out, err = r.join(ctx, inputs)
			return err
		})
	}
	if cannotJoin(inputs, err) {
		out, err = r.keepApart(ctx, inputs, err)
	}
	if err != nil {
		return joined{}, err
	}
	if out.path != "" {
		err = step(ctx, "checksum", out.readChecksums)
	}
	return out, failedAt(atDisk, err)
}

// errTriedInVain stands for a join that did not pass before: an earlier run ended before
// its parts were archived one by one.
var errTriedInVain = &media.Error{Kind: media.Corrupt, Op: "syncer: join", Reason: store.ReasonJoinFailed, Err: errors.New("no join of these parts has passed")}

// collect downloads and measures what is joined, until the choice does not change any
// more. Nothing: all that can be is archived already.
func (r *run) collect(ctx context.Context) ([]joinInput, error) {
	for {
		chosen := r.plan.names()
		var (
			inputs []joinInput
			faults []*partFault
		)
		err := step(ctx, "download", func(ctx context.Context) (err error) {
			inputs, faults, err = r.fetchAll(ctx)
			return err
		})
		if err != nil {
			return nil, err
		}
		for _, f := range faults {
			if !f.givenUp() {
				return nil, failedAt(atZoom, f)
			}
		}
		if err := r.choose(ctx); err != nil {
			return nil, err
		}
		if r.nothingLeft() {
			return nil, nil
		}
		for _, f := range faults {
			// Chosen all the same, since it is archived: another round would end here too.
			if slices.Contains(r.plan.names(), f.file.Name()) {
				return nil, failedAt(atZoom, f)
			}
		}
		if len(faults) == 0 && slices.Equal(r.plan.names(), chosen) {
			for i := range inputs { // with what the downloads taught
				if at := slices.Index(chosen, inputs[i].part.Name()); at >= 0 {
					inputs[i].part = r.plan.parts[at]
				}
			}
			return inputs, nil
		}
		r.log.Info("ingest: other parts chosen", slog.Any("before", chosen), slog.Any("parts", r.plan.names()))
		if err := r.reserve(ctx); err != nil {
			return nil, err
		}
	}
}

// fetchAll downloads what is joined and returns it in order, without the files that are
// no recordings.
func (r *run) fetchAll(ctx context.Context) (inputs []joinInput, faults []*partFault, err error) {
	for _, in := range joinOrder(r.plan.parts, r.row.Parts(), r.parts) {
		if in.fromArchive() {
			if in.archived {
				in.path, err = r.fetchArchived(ctx)
			} else {
				in.path, err = r.fetchStored(ctx, in.beside.Location(), in.beside.Size, in.beside.MD5)
			}
			if err == nil {
				in.info, err = r.s.deps.Tool.Probe(ctx, in.path)
				err = failedAt(atArchive, err)
			}
		} else {
			in.path, in.info, err = r.fetch(ctx, in.part)
		}
		var fault *partFault
		if errors.As(err, &fault) {
			faults = append(faults, fault)
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		inputs = append(inputs, in)
	}
	return inputs, faults, nil
}

// joinInput is one of the files that are joined: a part at Zoom, or what is archived
// so far.
type joinInput struct {
	part     store.File
	archived bool
	beside   *store.RecordingFile // where only the archive has the part, as a file of its own
	path     string               // once it is downloaded
	info     ffmpeg.Info
}

// fromArchive reports whether an input comes out of the archive.
func (in joinInput) fromArchive() bool { return in.archived || in.beside != nil }

// name is for people.
func (in joinInput) name() string {
	if in.archived {
		return "the archived recording"
	}
	return in.part.Name()
}

// joinOrder is what is joined, in time order. parts are the plan's, in time order;
// archived are the names of those that the archived file was made of. Where Zoom no
// longer has one of these, the archived file stands for all of them, at the place of
// the first: a part that lies between two of them can only follow. beside are the parts
// that are archived as files of their own. It is pure.
func joinOrder(parts []store.File, archived []string, beside []store.RecordingFile) (out []joinInput) {
	useArchived := slices.ContainsFunc(parts, func(f store.File) bool { return f.LeftZoom() && slices.Contains(archived, f.Name()) })
	placed := false
	for _, f := range parts {
		own := slices.IndexFunc(beside, func(b store.RecordingFile) bool { return b.Verified() && b.ZoomFile == f.Name() })
		switch {
		case own >= 0 && f.LeftZoom() && !slices.Contains(archived, f.Name()):
			out = append(out, joinInput{part: f, beside: &beside[own]})
		case !useArchived || !slices.Contains(archived, f.Name()):
			out = append(out, joinInput{part: f})
		case !placed:
			out, placed = append(out, joinInput{archived: true}), true
		}
	}
	return out
}

// join makes one file of the inputs, measured against them. A single part that is plain
// already stays as it is: nothing is better than what Zoom made.
func (r *run) join(ctx context.Context, inputs []joinInput) (joined, error) {
	out := joined{path: inputs[0].path, duration: inputs[0].info.Duration, notes: flaws(inputs), of: r.partsOf(inputs)}
	if len(inputs) > 1 || !inputs[0].info.Plain() {
		result, err := r.joinTo(ctx, inputs, filepath.Join(r.s.work.Path(workJob(r.row.ID)), "joined-"+fingerprintOf(inputs)+".mp4"))
		switch {
		case err == nil:
			out.path, out.duration = result.Path, result.Info.Duration
			if result.Method == ffmpeg.Encoded {
				out.notes = append(out.notes, note{"encoded", result.Why})
			}
		case len(inputs) == 1 && media.KindOf(err) == media.Corrupt:
			out.notes = append(out.notes, note{"warning", "kept as Zoom made it: " + err.Error()})
		default:
			return joined{}, failedAt(atJoin, err)
		}
	}
	if !r.s.cfg.Reencode {
		return out, nil
	}
	small := filepath.Join(r.s.work.Path(workJob(r.row.ID)), "small-"+fingerprintOf(inputs)+".mp4")
	worth, err := r.s.deps.Tool.Smaller(ctx, out.path, small)
	switch {
	case err != nil && media.KindOf(err) == media.Corrupt:
		out.notes = append(out.notes, note{"warning", "not made smaller: " + err.Error()})
	case err != nil:
		return joined{}, failedAt(atJoin, err)
	case worth:
		out.path = small
	}
	return out, nil
}

// partsOf are the parts of the plan that inputs hold.
func (r *run) partsOf(inputs []joinInput) (out []store.File) {
	for _, f := range r.plan.parts {
		if slices.ContainsFunc(inputs, func(in joinInput) bool {
			return in.part.Name() == f.Name() || in.archived && slices.Contains(r.row.Parts(), f.Name())
		}) {
			out = append(out, f)
		}
	}
	return out
}

// joinTo joins the inputs to a file of that name, unless an earlier run has.
func (r *run) joinTo(ctx context.Context, inputs []joinInput, path string) (ffmpeg.Result, error) {
	if _, err := os.Stat(path); err == nil {
		if info, err := r.s.deps.Tool.Probe(ctx, path); err == nil {
			return ffmpeg.Result{Path: path, Info: info}, nil
		}
	}
	parts := make([]ffmpeg.Part, len(inputs))
	for i, in := range inputs {
		parts[i] = ffmpeg.Part{Path: in.path, Info: in.info}
	}
	failpoint.Here("ingest.join")
	result, err := r.s.deps.Tool.Join(ctx, parts, path)
	failpoint.Here("ingest.joined")
	if err == nil {
		r.log.Info("ingest: parts joined", slog.Int("parts", len(parts)), slog.String("method", string(result.Method)), slog.String("why", result.Why))
	}
	return result, err
}

// flaws are what the history says of the inputs: bytes that do not belong there, sizes
// other than Zoom's.
func flaws(inputs []joinInput) (out []note) {
	for _, in := range inputs {
		for _, w := range in.info.Layout.Warnings {
			out = append(out, note{"warning", in.name() + ": " + string(w)})
		}
		if f := in.part; f.ReceivedCount >= store.DownloadTries && f.Size != 0 && f.ReceivedSize != f.Size {
			out = append(out, note{"warning", fmt.Sprintf("%s: Zoom lists %d bytes; a whole file of %d bytes came %d times and is believed", in.name(), f.Size, f.ReceivedSize, f.ReceivedCount)})
		}
	}
	return out
}

// fingerprintOf names the inputs of a join, and which version of each: a part may have
// changed at Zoom since an earlier run joined it.
func fingerprintOf(inputs []joinInput) string {
	var names []string
	for _, in := range inputs {
		name := in.path
		if st, err := os.Stat(in.path); err == nil {
			name += fmt.Sprintf(" %d %d", st.Size(), st.ModTime().UnixNano())
		}
		names = append(names, name)
	}
	return Fingerprint(names)
}

// Fingerprint is a short name for a list of names.
func Fingerprint(names []string) string {
	sum := sha256.Sum256([]byte(strings.Join(names, "\n")))
	return hex.EncodeToString(sum[:8])
}
