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
	"github.com/lectiospace/lectern/internal/origin"
)

// markKey and markValue are the property by which List finds the files of this archive.
const (
	markKey   = "lectern"
	markValue = "recording"
)

// ArchiveConfig says where in Drive new recordings go.
type ArchiveConfig struct {
	// Folder is a folder's id or link; "" means the folder that each item names.
	Folder string `name:"folder" placeholder:"ID" help:"Drive folder for new recordings, its id or its link (default: the teacher's own folder)."`
	// SharedDrive is the id or link of the shared drive that Folder lies in. A service account
	// owns no storage and can upload to shared drives only.
	SharedDrive string `name:"shared-drive" placeholder:"ID" help:"Shared drive for new recordings; service accounts can store nowhere else."`
}

// Check refuses what is neither an id nor a link. The text begins with the setting's name.
func (c *ArchiveConfig) Check() error {
	for _, setting := range []struct{ name, text string }{{"sync-drive-folder", c.Folder}, {"sync-drive-shared-drive", c.SharedDrive}} {
		if setting.text == "" {
			continue
		}
		if _, err := media.ParseDriveRef(setting.text); err != nil {
			return fmt.Errorf("%s: neither an id nor a link of Google Drive: give the id, or the link as the browser shows it", setting.name)
		}
	}
	return nil
}

// Archive puts recordings into Drive. It implements archive.Archive.
type Archive struct {
	*Origin
	cfg ArchiveConfig
	// chunk is how many bytes one request carries.
	chunk int64
	retry archive.Retry
}

// NewArchive makes the writing side of an origin; closing it is the origin's.
func NewArchive(o *Origin, cfg ArchiveConfig) *Archive {
	return &Archive{Origin: o, cfg: cfg, chunk: uploadChunk, retry: archive.DefaultRetry}
}

// Provider implements archive.Archive.
func (a *Archive) Provider() string { return media.ProviderDrive }

// NewKey asks Drive for an id. A second file with the same id is refused, where a second
// file with the same name would be accepted.
func (a *Archive) NewKey(ctx context.Context, _ string) (string, error) {
	var ids *drivev3.GeneratedIds
	err := a.withRetry(ctx, func() (err error) {
		ids, err = a.service.Files.GenerateIds().Count(1).Space("drive").Context(ctx).Do()
		return err
	})
	if err != nil {
		return "", archiveFault("drive: new id", err)
	}
	if len(ids.Ids) != 1 || !origin.IsErrorCode(ids.Ids[0]) {
		return "", media.Faultf(media.Corrupt, "drive: new id", "the answer holds none")
	}
	return ids.Ids[0], nil
}

// Identify implements archive.Identifier.
func (a *Archive) Identify(ctx context.Context, key string) (media.Object, error) {
	return a.Origin.Stat(ctx, media.Location{Provider: media.ProviderDrive, Key: key})
}

// archiveFields are the fields of a Stored.
const archiveFields = "id,size,md5Checksum,headRevisionId,trashed,parents,webViewLink,appProperties"

// Stat implements archive.Archive.
func (a *Archive) Stat(ctx context.Context, key string) (archive.Stored, error) {
	const op = "drive: stat in the archive"
	ref, err := parseKey(op, key)
	if err != nil {
		return archive.Stored{}, err
	}
	call := a.service.Files.Get(ref.ID).SupportsAllDrives(true).Fields(archiveFields).Context(ctx)
	setResourceKeys(call.Header(), ref)
	var f *drivev3.File
	err = a.withRetry(ctx, func() (err error) {
		f, err = call.Do()
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
	out := archive.Stored{Key: f.Id, Size: f.Size, MD5: strings.ToLower(f.Md5Checksum), Version: versionOf(f), URL: f.WebViewLink}
	if len(f.Parents) > 0 {
		out.Folder = f.Parents[0]
	}
	return out
}

// Open reads a file in bounded ranges: Drive bills the requested bytes.
func (a *Archive) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	obj, err := a.Origin.Stat(ctx, media.Location{Provider: media.ProviderDrive, Key: key})
	if err != nil {
		return nil, err
	}
	return origin.ReadWhole(ctx, a.Origin, obj, a.chunk), nil
}

// Remove deletes a file, or trashes it where the principal may do no more: in a
// shared drive deleting is the organizers'.
func (a *Archive) Remove(ctx context.Context, key string) error {
	const op = "drive: remove"
	ref, err := media.ParseDriveRef(key)
	if err != nil {
		return nil // no file can have such a key
	}
	err = a.withRetry(ctx, func() error {
		return a.service.Files.Delete(ref.ID).SupportsAllDrives(true).Context(ctx).Do()
	})
	var refused *googleapi.Error
	if errors.As(err, &refused) && refused.Code == http.StatusForbidden && media.KindOf(fault(op, err)) == media.Denied {
		err = a.withRetry(ctx, func() error {
			_, err := a.service.Files.Update(ref.ID, &drivev3.File{Trashed: true}).SupportsAllDrives(true).Fields("id").Context(ctx).Do()
			return err
		})
	}
	if fault := archiveFault(op, err); fault != nil && media.KindOf(fault) != media.NotFound {
		return fault
	}
	return nil
}

// List lists every file with the archive's mark, a thousand a page.
func (a *Archive) List(ctx context.Context, each func(archive.Stored) error) error {
	const op = "drive: list the archive"
	token := ""
	for {
		call := a.service.Files.List().Q(fmt.Sprintf("appProperties has { key='%s' and value='%s' } and trashed=false", markKey, markValue)).
			PageSize(1000).SupportsAllDrives(true).IncludeItemsFromAllDrives(true).
			Fields("nextPageToken", "files("+archiveFields+")").Context(ctx)
		if drive, err := media.ParseDriveRef(a.cfg.SharedDrive); err == nil {
			call = call.Corpora("drive").DriveId(drive.ID)
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

// folder is where an item goes: the configured folder, else the item's own, else the root
// of the configured shared drive. The zero reference means My Drive.
func (a *Archive) folder(item archive.Item) (media.DriveRef, error) {
	text := a.cfg.Folder
	if text == "" {
		text = item.Folder
	}
	if text == "" {
		text = a.cfg.SharedDrive
	}
	if text == "" {
		return media.DriveRef{}, nil
	}
	ref, err := media.ParseDriveRef(text)
	if err != nil {
		return ref, media.Fault(media.Invalid, "drive: folder for new recordings", err)
	}
	return ref, nil
}

// CheckFolder checks that recordings can be created in the configured folder, which it also
// finds in a shared drive's root. It writes nothing. An error is NotFound when the folder
// does not exist or is not shared with the account, Invalid with ReasonNotFolder or for a
// text that is no id, Denied when the account may not add files. Without a configured
// folder there is nothing to check.
func (a *Archive) CheckFolder(ctx context.Context) error {
	const op = "drive: check the folder"
	ref, err := a.folder(archive.Item{})
	if err != nil || ref.ID == "" {
		return err
	}
	call := a.service.Files.Get(ref.ID).SupportsAllDrives(true).Fields("mimeType,trashed,capabilities/canAddChildren").Context(ctx)
	setResourceKeys(call.Header(), ref)
	var f *drivev3.File
	if err := a.withFreshToken(func() (err error) { f, err = call.Do(); return err }); err != nil {
		return fault(op, err)
	}
	switch {
	case f.Trashed:
		return media.Faultf(media.NotFound, op, "the folder is in the trash")
	case f.MimeType != folderType:
		return &media.Error{Kind: media.Invalid, Op: op, Reason: ReasonNotFolder, Err: errors.New("the id is not a folder's")}
	case f.Capabilities == nil || !f.Capabilities.CanAddChildren:
		return media.Faultf(media.Denied, op, "the account may not add files to the folder: share it with the account as editor or content manager")
	}
	return nil
}

// CheckWrite uploads a file of a few bytes as an ingest would, and removes it. An error of
// kind Quota means that there is no room, or that the account is a service account, which
// can store in shared drives only.
func (a *Archive) CheckWrite(ctx context.Context) error {
	const op = "drive: check writing"
	key, err := a.NewKey(ctx, "doctor")
	if err != nil {
		return err
	}
	item, remove, err := archive.NewProbe(op, key)
	if err != nil {
		return err
	}
	defer remove()
	stored, err := a.Put(ctx, item)
	if err == nil && !stored.Same(item.Size, item.MD5) {
		err = media.Faultf(media.Corrupt, op, "the file does not come back as it was written")
	}
	return errors.Join(err, archive.WithCleanup(ctx, func(ctx context.Context) error { return a.Remove(ctx, key) }))
}

// fullReasons mean that the archive is full and stays so until somebody acts.
var fullReasons = map[string]bool{
	"storageQuotaExceeded": true, "teamDriveFileLimitExceeded": true, "numChildrenInNonRootLimitExceeded": true,
}

// archiveFault is fault, with a full archive as Quota.
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
