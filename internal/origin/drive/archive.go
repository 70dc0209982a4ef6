package drive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	drivev3 "google.golang.org/api/drive/v3"
	"google.golang.org/api/googleapi"

	"github.com/lectiospace/lectern/internal/archive"
	"github.com/lectiospace/lectern/internal/media"
)

// mark is the property by which files of ours are found again.
const (
	markKey   = "lectern"
	markValue = "recording"
)

// ArchiveConfig says where in Drive new recordings go.
type ArchiveConfig struct {
	// Folder is a folder's id; "" means the folder that each item names.
	Folder string `name:"folder" placeholder:"ID" help:"Drive folder for new recordings (default: the teacher's own folder)."`
	// SharedDrive is the id of the shared drive that Folder lies in. A service account
	// owns no storage and can upload to shared drives only.
	SharedDrive string `name:"shared-drive" placeholder:"ID" help:"Shared drive for new recordings; service accounts can store nowhere else."`
}

// Archive puts recordings into Drive. It implements archive.Archive.
type Archive struct {
	*Origin
	cfg ArchiveConfig
	// chunk is how many bytes one request carries.
	chunk int64
	retry retryPolicy
}

// NewArchive makes the writing side of an origin; closing it is the origin's.
func NewArchive(o *Origin, cfg ArchiveConfig) *Archive {
	return &Archive{Origin: o, cfg: cfg, chunk: uploadChunk, retry: defaultRetry}
}

// Provider implements archive.Archive.
func (a *Archive) Provider() string { return media.ProviderDrive }

// NewKey asks Drive for an id: a file that is created under it twice is refused
// the second time, where the same name would simply stand there twice.
func (a *Archive) NewKey(ctx context.Context, _ string) (string, error) {
	var ids *drivev3.GeneratedIds
	err := a.withRetry(ctx, func() (err error) {
		ids, err = a.service.Files.GenerateIds().Count(1).Space("drive").Context(ctx).Do()
		return err
	})
	if err != nil {
		return "", archiveFault("drive: new id", err)
	}
	if len(ids.Ids) != 1 || !fileID.MatchString(ids.Ids[0]) {
		return "", media.Faultf(media.Corrupt, "drive: new id", "the answer holds none")
	}
	return ids.Ids[0], nil
}

// archiveFields are what the archive tells of a file.
const archiveFields = "id,size,md5Checksum,headRevisionId,trashed,parents,webViewLink,appProperties"

// Stat implements archive.Archive.
func (a *Archive) Stat(ctx context.Context, key string) (archive.Stored, error) {
	const op = "drive: look into the archive"
	if !fileID.MatchString(key) {
		return archive.Stored{}, media.Faultf(media.NotFound, op, "not a Drive file id")
	}
	var f *drivev3.File
	err := a.withRetry(ctx, func() (err error) {
		f, err = a.service.Files.Get(key).SupportsAllDrives(true).Fields(archiveFields).Context(ctx).Do()
		return err
	})
	if err != nil {
		return archive.Stored{}, archiveFault(op, err)
	}
	if f.Trashed {
		return archive.Stored{}, media.Faultf(media.NotFound, op, "the file is in the trash")
	}
	return storedOf(f), nil
}

func storedOf(f *drivev3.File) archive.Stored {
	out := archive.Stored{Key: f.Id, Size: f.Size, MD5: strings.ToLower(f.Md5Checksum), Version: f.HeadRevisionId, URL: f.WebViewLink}
	if len(f.Parents) > 0 {
		out.Folder = f.Parents[0]
	}
	return out
}

// Open reads a file range by range: Drive bills what is asked for.
func (a *Archive) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	obj, err := a.Origin.Stat(ctx, media.Location{Provider: media.ProviderDrive, Key: key})
	if err != nil {
		return nil, err
	}
	return &ranges{ctx: ctx, a: a, obj: obj}, nil
}

// ranges is a file as a chain of bounded reads.
type ranges struct {
	ctx  context.Context
	a    *Archive
	obj  media.Object
	at   int64
	body io.ReadCloser
}

func (r *ranges) Read(p []byte) (int, error) {
	if r.body == nil {
		if r.at >= r.obj.Size {
			return 0, io.EOF
		}
		body, err := r.a.Origin.Open(r.ctx, r.obj, media.Span{Off: r.at, Len: min(r.a.chunk, r.obj.Size-r.at)})
		if err != nil {
			return 0, err
		}
		r.body = body
	}
	n, err := r.body.Read(p)
	r.at += int64(n)
	if errors.Is(err, io.EOF) {
		err = r.Close()
	}
	return n, err
}

func (r *ranges) Close() error {
	if r.body == nil {
		return nil
	}
	err := r.body.Close()
	r.body = nil
	return err
}

// Remove deletes a file, or trashes it where the principal may do no more: in a
// shared drive deleting is the organizers'.
func (a *Archive) Remove(ctx context.Context, key string) error {
	const op = "drive: remove"
	if !fileID.MatchString(key) {
		return nil // nothing of that name can be there
	}
	err := a.withRetry(ctx, func() error {
		return a.service.Files.Delete(key).SupportsAllDrives(true).Context(ctx).Do()
	})
	var refused *googleapi.Error
	if errors.As(err, &refused) && refused.Code == http.StatusForbidden && kindOf(refused.Code, reasonOf(refused)) == media.Denied {
		err = a.withRetry(ctx, func() error {
			_, err := a.service.Files.Update(key, &drivev3.File{Trashed: true}).SupportsAllDrives(true).Fields("id").Context(ctx).Do()
			return err
		})
	}
	if fault := archiveFault(op, err); fault != nil && media.KindOf(fault) != media.NotFound {
		return fault
	}
	return nil
}

// List asks for every file with our mark, a thousand at a time.
func (a *Archive) List(ctx context.Context, each func(archive.Stored) error) error {
	const op = "drive: list the archive"
	token := ""
	for {
		call := a.service.Files.List().Q(fmt.Sprintf("appProperties has { key='%s' and value='%s' } and trashed=false", markKey, markValue)).
			PageSize(1000).SupportsAllDrives(true).IncludeItemsFromAllDrives(true).
			Fields("nextPageToken", "files("+archiveFields+")").Context(ctx)
		if a.cfg.SharedDrive != "" {
			call = call.Corpora("drive").DriveId(a.cfg.SharedDrive)
		}
		if token != "" {
			call = call.PageToken(token)
		}
		var page *drivev3.FileList
		err := a.withRetry(ctx, func() (err error) {
			page, err = call.Do()
			return err
		})
		if err != nil {
			return archiveFault(op, err)
		}
		for _, f := range page.Files {
			if err := each(storedOf(f)); err != nil {
				return err
			}
		}
		if token = page.NextPageToken; token == "" {
			return nil
		}
	}
}

// folder is where an item goes.
func (a *Archive) folder(item archive.Item) string {
	switch {
	case a.cfg.Folder != "":
		return a.cfg.Folder
	case a.cfg.SharedDrive != "" && item.Folder == "":
		return a.cfg.SharedDrive
	default:
		return item.Folder
	}
}

// fullReasons mean that there is no room, and none by itself soon.
var fullReasons = map[string]bool{
	"storageQuotaExceeded": true, "teamDriveFileLimitExceeded": true, "numChildrenInNonRootLimitExceeded": true,
}

// archiveFault is fault, and knows a full archive.
func archiveFault(op string, err error) error {
	if err == nil {
		return nil
	}
	var known *media.Error
	if errors.As(err, &known) {
		return err
	}
	err = fault(op, err)
	if errors.As(err, &known) && fullReasons[known.Reason] {
		known.Kind = media.Quota
	}
	return err
}
