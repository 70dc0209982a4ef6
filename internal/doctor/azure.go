package doctor

import (
	"context"
	"errors"
	"time"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/origin/azure"
)

// azureTimeout bounds the requests of a check of Azure. What the check wrote is removed after
// it, within the report's deadline.
const azureTimeout = 8 * time.Second

const fixAzure = "check origin-azure-url, origin-azure-credentials and the network"

// azureFixes are remedies for reasons of the service's errors that do not depend on what was
// tried.
var azureFixes = map[string]string{
	"AuthenticationFailed":               "check origin-azure-credentials (the key may have been rotated, the signature have expired) and this machine's clock",
	"AuthorizationFailure":               "let the account's firewall accept this machine's address, and check what the key or the signature is limited to",
	"ContainerNotFound":                  "make the container, or correct its name in origin-azure-url",
	"ContainerBeingDeleted":              "wait until the container is deleted and make it again, or name another in origin-azure-url",
	"AccountIsDisabled":                  "enable the storage account again in the portal: its subscription may have ended",
	"KeyBasedAuthenticationNotPermitted": "leave origin-azure-credentials empty and give this machine an identity: the account forbids keys",
	azure.ReasonNoToken:                  "set origin-azure-credentials, or give this machine a managed identity, a workload identity or AZURE_CLIENT_ID with its secret",
	azure.ReasonNotAPI:                   "check origin-azure-url and HTTPS_PROXY: a proxy or a captive portal answers in Azure's place",
}

// azureRights name the right for an action: of roles, and of a shared access signature.
var azureRights = map[azure.Action]string{
	azure.ActionList:   "role Storage Blob Data Reader (Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read), or l in the signature",
	azure.ActionRead:   "role Storage Blob Data Reader (Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read), or r in the signature",
	azure.ActionWrite:  "role Storage Blob Data Contributor (Microsoft.Storage/storageAccounts/blobServices/containers/blobs/write), or r, c and w in the signature",
	azure.ActionDelete: "role Storage Blob Data Contributor (Microsoft.Storage/storageAccounts/blobServices/containers/blobs/delete), or d in the signature",
}

// azureFault reports an error of Azure.
func (r *Report) azureFault(check string, err error) {
	fix, known := azureFixes[media.ReasonOf(err)]
	var failed *azure.ActionError
	switch {
	case known:
	case errors.As(err, &failed) && media.KindOf(err) == media.Denied:
		fix = "give the identity the " + azureRights[failed.Action]
	case media.ReasonOf(err) == "ServerBusy":
		r.warn(check, "wait a minute and run this again", "Azure asks to go slower: %v", err)
		return
	default:
		fix = fixAzure
	}
	r.fail(check, fix, "Azure cannot be used: %v", err)
}

// AzureOrigin lists the container and reads a byte of a blob. clockLimit is by how much our
// clock may differ from Azure's.
func (r *Report) AzureOrigin(ctx context.Context, cfg azure.Config, clockLimit time.Duration) {
	if cfg.URL == "" {
		r.pass(nameOriginAzure, "not configured")
		return
	}
	r.withAzure(ctx, nameOriginAzure, cfg, func(ctx context.Context, remote *azure.Origin) {
		switch access, ok := r.azureAccess(ctx, nameOriginAzure, remote, clockLimit); {
		case !ok:
		case access.Read:
			r.pass(nameOriginAzure, "a blob of container %s of account %s can be read", access.Container, access.Account)
		default:
			r.pass(nameOriginAzure, "container %s of account %s can be listed; it holds no blob to read", access.Container, access.Account)
		}
	})
}

// AzureArchive lists the container and reads a byte, and writes a small blob, reads it back
// and deletes it.
func (r *Report) AzureArchive(ctx context.Context, cfg azure.Config, clockLimit time.Duration) {
	r.withAzure(ctx, nameArchive, cfg, func(ctx context.Context, remote *azure.Origin) {
		if _, ok := r.azureAccess(ctx, nameArchive, remote, clockLimit); !ok {
			return
		}
		if err := remote.CheckWrite(ctx); err != nil {
			r.azureFault(nameArchive, err)
			return
		}
		r.pass(nameArchive, "a blob can be written, read and removed")
	})
}

// withAzure runs a check with an origin of its own.
func (r *Report) withAzure(ctx context.Context, check string, cfg azure.Config, run func(context.Context, *azure.Origin)) {
	remote, err := azure.New(cfg)
	if err != nil {
		r.fail(check, "give the URL as azblob://CONTAINER?storage_account=NAME, and the key or the connection string as the portal shows it", "%v", err)
		return
	}
	defer remote.Stop()
	ctx, cancel := context.WithTimeout(ctx, azureTimeout)
	defer cancel()
	run(ctx, remote)
}

// azureAccess checks that the container can be read, and compares our clock with Azure's.
func (r *Report) azureAccess(ctx context.Context, check string, remote *azure.Origin, clockLimit time.Duration) (azure.Access, bool) {
	asked := time.Now()
	access, err := remote.CheckAccess(ctx)
	answered := time.Now()
	r.Clock("Azure", access.Date, asked, answered, clockLimit)
	if err != nil {
		r.azureFault(check, err)
		return access, false
	}
	return access, true
}
