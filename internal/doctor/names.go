package doctor

import "slices"

// The names of the checks. docs/doctor.md describes each.
const (
	nameConfiguration  = "configuration"
	nameMode           = "mode"
	namePublicURL      = "public url"
	nameCORS           = "cors"
	nameTrustedProxies = "trusted proxies"
	nameSecretFiles    = "secret files"
	nameSecretFlags    = "secret flags"
	nameJWTSecret      = "jwt secret"
	nameQueryTokens    = "query tokens"
	nameJWKS           = "jwks"
	nameOIDC           = "oidc"
	nameOIDCRedirect   = "oidc redirect"
	nameOIDCClient     = "oidc client"
	nameDataDir        = "data dir"
	nameCacheDir       = "cache dir"
	nameCacheLock      = "cache lock"
	nameCacheSpace     = "cache space"
	nameWorkDir        = "work dir"
	nameWorkSpace      = "work space"
	nameListen         = "listen"
	nameAdminListen    = "admin listen"
	nameOpenFiles      = "open files"
	nameDatabase       = "database"
	nameSchema         = "schema"
	nameColumns        = "columns"
	nameRole           = "role"
	nameTriggers       = "triggers"
	namePooler         = "pooler"
	nameGateways       = "gateways"
	nameSyncers        = "syncers"
	nameJobQueue       = "job queue"
	nameReconciliation = "reconciliation"
	nameTenants        = "tenants"
	nameOriginLocal    = "origin local"
	nameOriginDrive    = "origin drive"
	nameOriginS3       = "origin s3"
	nameOriginAzure    = "origin azure"
	nameArchive        = "archive"
	nameZoom           = "zoom"
	nameZoomScopes     = "zoom scopes"
	nameZoomHost       = "zoom host"
	nameClock          = "clock"
	nameFFmpeg         = "ffmpeg"
	nameTranscribe     = "transcribe"
	nameAlerts         = "alerts"
)

var names = []string{
	nameConfiguration, nameMode, namePublicURL, nameCORS, nameTrustedProxies, nameSecretFiles, nameSecretFlags, nameJWTSecret, nameQueryTokens, nameJWKS,
	nameOIDC, nameOIDCRedirect, nameOIDCClient,
	nameDataDir, nameCacheDir, nameCacheLock, nameCacheSpace, nameWorkDir, nameWorkSpace, nameListen, nameAdminListen, nameOpenFiles,
	nameDatabase, nameSchema, nameColumns, nameRole, nameTriggers, namePooler, nameGateways, nameSyncers, nameJobQueue, nameReconciliation, nameTenants,
	nameOriginLocal, nameOriginDrive, nameOriginS3, nameOriginAzure, nameArchive, nameZoom, nameZoomScopes, nameZoomHost, nameClock, nameFFmpeg, nameTranscribe, nameAlerts,
}

// Names are the names that findings can have.
func Names() []string { return slices.Clone(names) }
