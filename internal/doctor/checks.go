package doctor

import (
	"context"
	"time"

	"github.com/lectiospace/lectern/internal/auth"
	"github.com/lectiospace/lectern/internal/cache"
	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/oidc"
	"github.com/lectiospace/lectern/internal/origin/azure"
	"github.com/lectiospace/lectern/internal/origin/drive"
	"github.com/lectiospace/lectern/internal/origin/local"
	"github.com/lectiospace/lectern/internal/origin/s3"
	"github.com/lectiospace/lectern/internal/syncer"
	"github.com/lectiospace/lectern/internal/zoom"
)

// TokensCheck is Report.Tokens.
func TokensCheck(cfg auth.Config, clockLimit time.Duration) Check {
	return Check{nameJWKS, stuckNetwork, func(ctx context.Context, r *Report) { r.Tokens(ctx, cfg, clockLimit) }}
}

// OIDCCheck is Report.OIDC.
func OIDCCheck(cfg oidc.Config, publicURL string) Check {
	return Check{nameOIDC, stuckNetwork, func(ctx context.Context, r *Report) { r.OIDC(ctx, cfg, publicURL) }}
}

// DataDirCheck is Report.DataDir.
func DataDirCheck(dir string) Check {
	return Check{nameDataDir, stuckFiles, func(_ context.Context, r *Report) { r.DataDir(dir) }}
}

// CacheDirCheck is Report.CacheDir.
func CacheDirCheck(cfg cache.Config, adminListen string, running func() bool) Check {
	return Check{nameCacheDir, stuckFiles, func(ctx context.Context, r *Report) { r.CacheDir(ctx, cfg, adminListen, running) }}
}

// ListenersCheck is Report.Listeners.
func ListenersCheck(listen, adminListen string, running func() bool) Check {
	return Check{nameListen, stuckNetwork, func(_ context.Context, r *Report) { r.Listeners(listen, adminListen, running) }}
}

// OpenFilesCheck is Report.OpenFiles.
func OpenFilesCheck(need int, forWhat string) Check {
	return Check{nameOpenFiles, stuckFiles, func(_ context.Context, r *Report) { r.OpenFiles(need, forWhat) }}
}

// CatalogCheck is Report.Catalog.
func CatalogCheck(url string, clockLimit time.Duration, version string) Check {
	return Check{nameDatabase, fixDatabase, func(ctx context.Context, r *Report) { r.Catalog(ctx, url, clockLimit, version) }}
}

// SyncerCatalogCheck is Report.SyncerCatalog.
func SyncerCatalogCheck(url string, clockLimit time.Duration, more func(*catalog.Store) []Check) Check {
	return Check{nameDatabase, fixDatabase, func(ctx context.Context, r *Report) { r.SyncerCatalog(ctx, url, clockLimit, more) }}
}

// LocalFolderCheck is Report.LocalFolder.
func LocalFolderCheck(cfg local.Config) Check {
	return Check{nameOriginLocal, stuckFiles, func(_ context.Context, r *Report) { r.LocalFolder(cfg) }}
}

// LocalArchiveCheck is Report.LocalArchive.
func LocalArchiveCheck(cfg local.Config) Check {
	return Check{nameArchive, stuckFiles, func(_ context.Context, r *Report) { r.LocalArchive(cfg) }}
}

// DriveOriginCheck is Report.DriveOrigin.
func DriveOriginCheck(cfg drive.Config, clockLimit time.Duration) Check {
	return Check{nameOriginDrive, stuckNetwork, func(ctx context.Context, r *Report) { r.DriveOrigin(ctx, cfg, clockLimit) }}
}

// DriveArchiveCheck is Report.DriveArchive.
func DriveArchiveCheck(cfg drive.Config, settings drive.ArchiveConfig, clockLimit time.Duration) Check {
	return Check{nameArchive, stuckNetwork, func(ctx context.Context, r *Report) { r.DriveArchive(ctx, cfg, settings, clockLimit) }}
}

// S3OriginCheck is Report.S3Origin.
func S3OriginCheck(cfg s3.Config, clockLimit time.Duration) Check {
	return Check{nameOriginS3, stuckNetwork, func(ctx context.Context, r *Report) { r.S3Origin(ctx, cfg, clockLimit) }}
}

// S3ArchiveCheck is Report.S3Archive.
func S3ArchiveCheck(cfg s3.Config, clockLimit time.Duration) Check {
	return Check{nameArchive, stuckNetwork, func(ctx context.Context, r *Report) { r.S3Archive(ctx, cfg, clockLimit) }}
}

// AzureOriginCheck is Report.AzureOrigin.
func AzureOriginCheck(cfg azure.Config, clockLimit time.Duration) Check {
	return Check{nameOriginAzure, stuckNetwork, func(ctx context.Context, r *Report) { r.AzureOrigin(ctx, cfg, clockLimit) }}
}

// AzureArchiveCheck is Report.AzureArchive.
func AzureArchiveCheck(cfg azure.Config, clockLimit time.Duration) Check {
	return Check{nameArchive, stuckNetwork, func(ctx context.Context, r *Report) { r.AzureArchive(ctx, cfg, clockLimit) }}
}

// WorkDirCheck is Report.WorkDir.
func WorkDirCheck(cfg syncer.Config) Check {
	return Check{nameWorkDir, stuckFiles, func(ctx context.Context, r *Report) { r.WorkDir(ctx, cfg) }}
}

// FFmpegCheck is Report.FFmpeg.
func FFmpegCheck() Check {
	return Check{nameFFmpeg, "end the ffmpeg processes that hang", func(ctx context.Context, r *Report) { r.FFmpeg(ctx) }}
}

// TranscribeCheck is Report.Transcribe.
func TranscribeCheck(cfg syncer.Config) Check {
	return Check{nameTranscribe, stuckFiles, func(_ context.Context, r *Report) { r.Transcribe(cfg) }}
}

// TenantsCheck is Report.Tenants.
func TenantsCheck(store *catalog.Store, hasSecretsKey bool) Check {
	return Check{nameTenants, fixDatabase, func(ctx context.Context, r *Report) { r.Tenants(ctx, store, hasSecretsKey) }}
}

// GatewaysCheck is Report.Gateways.
func GatewaysCheck(store *catalog.Store, version string) Check {
	return Check{nameGateways, fixDatabase, func(ctx context.Context, r *Report) { r.Gateways(ctx, store, version) }}
}

// SyncersCheck is Report.Syncers.
func SyncersCheck(store *catalog.Store, reconcileEvery time.Duration, version string) Check {
	return Check{nameSyncers, fixDatabase, func(ctx context.Context, r *Report) { r.Syncers(ctx, store, reconcileEvery, version) }}
}

// ZoomTeachersCheck is Report.ZoomTeachers.
func ZoomTeachersCheck(store *catalog.Store, cfg zoom.Config, deletes bool) Check {
	return Check{nameZoom, stuckNetwork, func(ctx context.Context, r *Report) { r.ZoomTeachers(ctx, store, cfg, deletes) }}
}

// ZoomClockCheck is Report.ZoomClock.
func ZoomClockCheck(cfg zoom.Config) Check {
	return Check{nameClock, stuckNetwork, func(ctx context.Context, r *Report) { r.ZoomClock(ctx, cfg) }}
}
