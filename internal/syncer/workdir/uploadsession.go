package workdir

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/lectiospace/lectern/internal/archive"
	"github.com/lectiospace/lectern/internal/failpoint"
)

// uploadSession is what an interrupted upload leaves for the next run of its job, with the
// file: it gives access to the archive, and is never written into the database.
type uploadSession struct {
	// Provider is "" in files of versions that could resume uploads to Drive only, whose
	// unfinished sessions end by themselves.
	Provider string `json:"provider,omitempty"`
	Key      string `json:"key"`
	MD5      string `json:"md5"`
	Session  string `json:"session"`
}

// continues reports whether it is the session of an upload of the same bytes to the same
// place.
func (s uploadSession) continues(of uploadSession) bool {
	return s.Session != "" && (s.Provider == of.Provider || s.Provider == "") && s.Key == of.Key && s.MD5 == of.MD5
}

// Put uploads an item into target, and continues the upload of it that an earlier run of the
// job has left in the directory. An upload of something else that was left there is aborted:
// nothing continues it any more. archives has the archive that it went to.
func (l *Lock) Put(ctx context.Context, archives archive.Set, target archive.Archive, item archive.Item) (archive.Stored, error) {
	mine := uploadSession{Provider: target.Provider(), Key: item.Key, MD5: item.MD5}
	if left := l.loadSession(); left.continues(mine) {
		item.Session = left.Session
	} else {
		_ = l.AbortUpload(ctx, archives) // parts that stay are deleted by AbortStale
	}
	item.SaveSession = func(session string) error {
		mine.Session = session
		return l.saveSession(mine)
	}
	failpoint.Here("work.upload")
	stored, err := target.Put(ctx, item)
	failpoint.Here("work.uploaded")
	if err == nil {
		err = l.DropSession()
	}
	return stored, err
}

// AbortUpload aborts the upload that a run has left in the directory, if any, and removes its
// session. Whatever of it cannot be aborted now is aborted by AbortStale of
// archive.UploadAborter.
func (l *Lock) AbortUpload(ctx context.Context, archives archive.Set) error {
	left := l.loadSession()
	if left.Session == "" {
		return nil
	}
	var err error
	if aborter, ok := archives[left.Provider].(archive.UploadAborter); ok {
		err = aborter.AbortUpload(ctx, left.Session)
	}
	return errors.Join(err, l.DropSession())
}

// DropSession removes the session of an upload that has ended.
func (l *Lock) DropSession() error {
	if err := failpoint.Err("work.remove-session"); err != nil {
		return fmt.Errorf("the upload's session: %w", err)
	}
	if err := os.Remove(l.sessionPath()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("the upload's session: %w", err)
	}
	return nil
}

func (l *Lock) sessionPath() string { return filepath.Join(l.path, "session.json") }

// loadSession reads the session of an interrupted upload; the zero value when there is none.
func (l *Lock) loadSession() (s uploadSession) {
	data, err := os.ReadFile(l.sessionPath())
	if err != nil || json.Unmarshal(data, &s) != nil {
		return uploadSession{}
	}
	return s
}

func (l *Lock) saveSession(s uploadSession) error {
	data, err := json.Marshal(s)
	if err != nil {
		return err
	}
	partial := l.sessionPath() + ".partial"
	if err := failpoint.Err("work.write-session"); err != nil {
		return fmt.Errorf("the upload's session: %w", err)
	}
	if err := os.WriteFile(partial, data, 0o600); err != nil {
		return fmt.Errorf("the upload's session: %w", err)
	}
	if err := failpoint.Err("work.rename-session"); err != nil {
		return fmt.Errorf("the upload's session: %w", err)
	}
	return os.Rename(partial, l.sessionPath())
}
