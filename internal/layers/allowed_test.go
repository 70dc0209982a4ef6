package layers

// allowed is the one list of imports: for each package the packages of ours, the modules
// of others and the guarded packages of the standard library that it may import, each
// with its reason. Anything that is not here fails, and so does an entry that is not
// needed any more.
//
// The shape behind it: media is the vocabulary and imports nothing of ours. auth, cache, zoom
// and the origins know media and not each other, except that origin/zoom downloads through zoom; proxy declares the interfaces it needs
// and never sees a concrete store. SQL is in catalog, library and syncer/store, fasthttp
// below proxy, River below syncer. Only the commands wire concrete things together, and
// only they read the settings that config gathers.
var allowed = []rule{
	{
		pkg: "bench",
		may: []use{
			{"bench/bound", "the servers that do the least, as processes of this program"},
			{"bench/origin", "starts the emulated origin"},
			{"bench/peers", "starts the servers that are compared"},
			{"bench/results", "medians, goals and the report"},
			{"bench/workloads", "the workloads of the plan"},
			{"os/exec", "builds the gateway of the commit that is compared with"},
		},
	},
	{
		pkg: "bench/bound",
		may: []use{
			{"golang.org/x/sys", "epoll and sendfile without anything between"},
		},
		tests: []use{
			{"bench/content", "the bytes to serve"},
			{"bench/load", "compares what is served"},
		},
	},
	{
		pkg: "bench/cmd/drive-emulator",
		may: []use{
			{"internal/emulator", "the files' content"},
			{"internal/emulator/drive", "the Drive that it serves"},
		},
	},
	{
		pkg: "bench/cmd/eviction",
		may: []use{
			{"bench/eviction", "the simulator that it runs"},
		},
	},
	{
		pkg: "bench/cmd/record-player",
		may: []use{
			{"bench/workloads", "the format of the recordings, which it writes"},
		},
	},
	{
		pkg: "bench/cmd/syncbench",
		may: []use{
			{"internal/demo/lessons", "a real MP4 to archive"},
			{"internal/emulator", "the recordings' content"},
			{"internal/emulator/drive", "the archive"},
			{"internal/emulator/zoom", "the source"},
			{"os/exec", "runs the syncer's binary and the programs that are compared"},
		},
	},
	{pkg: "bench/content"},
	{
		pkg: "bench/eviction",
		may: []use{
			{"internal/cache/eviction", "the policy that is compared, as the cache runs it"},
			{"github.com/maypok86/otter/v2", "W-TinyLFU, one of the policies that it is compared with"},
		},
	},
	{
		pkg: "bench/load",
		may: []use{
			{"bench/content", "compares every byte that arrives"},
			{"golang.org/x/sys", "recv with MSG_TRUNC, by which the kernel drops what arrives"},
		},
	},
	{
		pkg: "bench/meter",
		tests: []use{
			{"os/exec", "a process to measure"},
		},
	},
	{
		pkg: "bench/origin",
		may: []use{
			{"bench/content", "the bytes that it serves"},
			{"internal/emulator/drive", "the same files in the shape of Drive's API"},
			{"os/exec", "a process of its own, so that its cost is known"},
		},
	},
	{
		pkg: "bench/peers",
		may: []use{
			{"bench/content", "the files to serve"},
			{"bench/load", "checks that a server has started"},
			{"bench/meter", "the process tree of a server"},
			{"bench/origin", "the origin that a server is configured for"},
			{"internal/auth", "signs the tokens, and verifies them where nginx delegates authentication"},
			{"os/exec", "starts nginx, Varnish, HAProxy, rclone and the gateway's binary"},
			{"golang.org/x/sys", "asks whether the kernel has TLS"},
		},
	},
	{
		pkg: "bench/results",
		may: []use{
			{"os/exec", "asks git for the commit and the machine for its description"},
		},
	},
	{
		pkg: "bench/workloads",
		may: []use{
			{"bench/content", "objects and ranges"},
			{"bench/eviction", "the eviction workload"},
			{"bench/load", "the clients"},
			{"bench/meter", "CPU and memory of a server"},
			{"bench/origin", "counts requests and bytes at the origin"},
			{"bench/peers", "the servers that it measures"},
			{"bench/results", "what it returns"},
			{"os/exec", "runs Go's benchmarks of the hot path"},
			{"golang.org/x/sync", "many clients at a time"},
		},
	},
	{
		pkg: "cmd/gateway",
		may: []use{
			{"internal/telemetry/trace", "exports traces, where it is switched on"},
			{"internal/proxy/playbacks", "traces playbacks, where it is switched on"},
			{"internal/auth", "verifies tokens and decides access"},
			{"internal/cache", "the chunk cache"},
			{"internal/cacheadmin", "`gateway cache`, and its routes on the admin listener"},
			{"internal/catalog", "opens the database"},
			{"internal/catalog/document", "`catalog apply` and `catalog export`"},
			{"internal/catalog/schema", "`gateway migrate`, and whether the schema is present"},
			{"internal/config", "the settings and where their values came from"},
			{"internal/demo", "`gateway demo`"},
			{"internal/doctor", "the report of `doctor` and the checks that both programs have"},
			{"internal/library", "wires lists, edits, views and playback limits"},
			{"internal/media", "error kinds, for exit codes and hints"},
			{"internal/origin", "decorators and the table of providers"},
			{"internal/origin/azure", "wires provider azure"},
			{"internal/origin/drive", "wires provider gdrive"},
			{"internal/origin/local", "wires provider local"},
			{"internal/origin/s3", "wires provider s3"},
			{"internal/origin/zoom", "wires provider zoom"},
			{"internal/prewarm", "wires the warming of new recordings"},
			{"internal/printable", "writes the exported document as it is"},
			{"internal/proxy", "the public listener"},
			{"internal/proxy/api", "wires the recordings API"},
			{"internal/proxy/pages", "wires the pages"},
			{"internal/proxy/stream", "wires streaming"},
			{"internal/telemetry", "logs, admin listener, systemd"},
			{"internal/zoom", "what provider zoom downloads with"},
			{"github.com/prometheus/client_golang", "the registry that all packages get"},
			{"golang.org/x/sync", "runs the listeners side by side"},
		},
		tests: []use{
			{"docs/commands", "the command lines of the documentation"},
			{"internal/emulator/drive", "a Drive that is broken"},
			{"internal/pgtest", "a real PostgreSQL"},
			{"internal/telemetry/systemdtest", "a service manager that restarts a program that hangs"},
		},
	},
	{
		pkg: "cmd/syncer",
		may: []use{
			{"internal/telemetry/trace", "exports traces, where it is switched on"},
			{"internal/connlimit", "bounds the connections of the webhook listener"},
			{"internal/alert", "wires alerts"},
			{"internal/archive", "the table of archives by provider"},
			{"internal/catalog", "opens the database"},
			{"internal/catalog/schema", "checks that the schema is present"},
			{"internal/config", "the settings and where their values came from"},
			{"internal/doctor", "the report of `doctor` and the checks that both programs have"},
			{"internal/ffmpeg", "finds ffmpeg, and wires it"},
			{"internal/media", "error kinds, for exit codes and hints"},
			{"internal/origin/azure", "wires provider azure"},
			{"internal/origin/drive", "wires provider gdrive"},
			{"internal/origin/local", "wires provider local"},
			{"internal/origin/s3", "wires provider s3"},
			{"internal/printable", "tells a terminal from a file"},
			{"internal/requestline", "refuses what is no HTTP on the webhook listener"},
			{"internal/syncer", "the queue and its workers"},
			{"internal/syncer/backfill", "what `syncer backfill` asks for and returns"},
			{"internal/syncer/move", "what `syncer move` asks for and returns"},
			{"internal/syncer/reconcile", "what `syncer reconcile` asks for and returns"},
			{"internal/telemetry", "logs, admin listener, systemd"},
			{"internal/zoom", "Zoom's credentials and client"},
			{"github.com/prometheus/client_golang", "the registry that all packages get"},
			{"golang.org/x/sync", "runs the listeners side by side"},
		},
		tests: []use{
			{"docs/commands", "the command lines of the documentation"},
			{"internal/emulator/drive", "a Drive that is broken"},
			{"internal/emulator/zoom", "a Zoom that is broken"},
			{"internal/emulator/zoom", "webhooks signed as Zoom does"},
			{"internal/telemetry/systemdtest", "a service manager that restarts a program that hangs"},
		},
	},
	{
		pkg: "configs",
		tests: []use{
			{"internal/config", "compares the example with the defaults"},
			{"go.yaml.in/yaml/v3", "reads the example and the alert rules"},
			{"os/exec", "has systemd judge the units"},
		},
	},
	{pkg: "configs/monitoring", tests: []use{{"os/exec", "runs promtool"}}},
	{
		pkg: "docs",
		tests: []use{
			{"internal/doctor", "compares the page with the checks"},
			{"internal/config", "makes the reference of the settings"},
			{"go.yaml.in/yaml/v3", "reads examples"},
		},
	},
	{pkg: "docs/commands"},
	{
		pkg: "internal/alert",
		may: []use{
			{"internal/media", "the vocabulary: objects, spans, recordings, users, error kinds"},
			{"github.com/nicholas-fedor/shoutrrr", "delivers to chats and mail"},
		},
	},
	{
		pkg: "internal/archive",
		may: []use{
			{"internal/media", "the vocabulary: objects, spans, recordings, users, error kinds"},
		},
	},
	{
		pkg: "internal/archive/archivetest",
		may: []use{
			{"internal/archive", "the interface that the suite tests"},
			{"internal/media", "the vocabulary: objects, spans, recordings, users, error kinds"},
		},
	},
	{
		pkg: "internal/auth",
		may: []use{
			{"internal/media", "users, recordings, memberships and refusals"},
			{"github.com/MicahParks/jwkset", "reads JWK sets"},
			{"github.com/MicahParks/keyfunc/v3", "refreshes them in the background"},
			{"github.com/dgraph-io/ristretto/v2", "caches verified tokens by digest"},
			{"github.com/golang-jwt/jwt/v5", "parses and signs JWTs"},
			{"github.com/prometheus/client_golang", "registers its metrics"},
		},
		tests: []use{
			{"internal/catalog", "a real cache in front of a fake store, for the hot path's benchmark"},
			{"go.uber.org/goleak", "finds goroutines that outlive a test"},
		},
	},
	{
		pkg: "internal/cache",
		may: []use{
			{"internal/cache/chunkfile", "the file format"},
			{"internal/cache/eviction", "chooses victims"},
			{"internal/cache/readahead", "sizes and order of origin requests"},
			{"internal/media", "objects, spans, pieces and error kinds"},
			{"github.com/prometheus/client_golang", "registers its metrics"},
			{"golang.org/x/sys", "free space, flock and preallocation"},
			{"golang.org/x/time", "the rate of the scrub"},
		},
		tests: []use{
			{"go.uber.org/goleak", "finds goroutines that outlive a test"},
			{"pgregory.net/rapid", "generated cases against a model"},
		},
	},
	{
		pkg: "internal/cache/chunkfile",
		tests: []use{
			{"pgregory.net/rapid", "generated cases against a model"},
		},
	},
	{
		pkg: "internal/cache/eviction",
		tests: []use{
			{"pgregory.net/rapid", "generated cases against a model"},
		},
	},
	{
		pkg: "internal/cache/readahead",
		may: []use{
			{"internal/media", "spans of an object"},
		},
		tests: []use{
			{"pgregory.net/rapid", "generated cases against a model"},
		},
	},
	{
		pkg: "internal/cacheadmin",
		may: []use{
			{"internal/cache", "the operations behind the protocol"},
			{"internal/media", "sizes and locations of recordings"},
			{"internal/printable", "a progress bar on terminals only"},
		},
		tests: []use{
			{"github.com/prometheus/client_golang", "a registry for the cache under test"},
		},
	},
	{
		pkg: "internal/catalog",
		may: []use{
			{"internal/media", "what look-ups return"},
			{"database/sql", "SQL is the package's purpose"},
			{"database/sql/driver", "tells lost connections from refusals"},
			{"github.com/dgraph-io/ristretto/v2", "the bounded cache of look-ups"},
			{"github.com/jackc/pgx/v5", "PostgreSQL's driver, and LISTEN"},
			{"github.com/prometheus/client_golang", "counts hits and misses of the cache"},
			{"modernc.org/sqlite", "SQLite's driver, without cgo"},
		},
		tests: []use{
			{"internal/catalog/catalogtest", "the three deployments to run on"},
			{"internal/catalog/document", "fills the catalog from YAML"},
			{"internal/catalog/schema", "a database with the schema"},
			{"internal/pgtest", "throw-away PostgreSQL clusters"},
			{"go.uber.org/goleak", "finds goroutines that outlive a test"},
		},
	},
	{
		pkg: "internal/catalog/catalogtest",
		may: []use{
			{"internal/catalog", "opens the databases"},
			{"internal/catalog/schema", "creates the schema"},
			{"internal/pgtest", "PostgreSQL clusters"},
		},
	},
	{
		pkg: "internal/catalog/document",
		may: []use{
			{"internal/catalog", "sessions and the dialect"},
			{"internal/catalog/schema", "that the schema is present"},
			{"internal/media", "roles, states and error kinds"},
			{"database/sql", "rows of the catalog's tables"},
			{"go.yaml.in/yaml/v3", "the document's format"},
		},
		tests: []use{
			{"internal/catalog/catalogtest", "the three deployments to run on"},
		},
	},
	{
		pkg: "internal/catalog/schema",
		may: []use{
			{"internal/catalog", "the database to migrate, and its dialect"},
			{"internal/media", "error kinds"},
			{"database/sql", "runs migrations"},
			{"os/exec", "pg_dump and pg_restore, for backups"},
			{"github.com/jackc/pgx/v5", "COPY in the transaction of a restore"},
			{"modernc.org/sqlite", "SQLite's backup interface, for restores"},
			{"github.com/pressly/goose/v3", "runs the migrations in order"},
			{"github.com/riverqueue/river", "River's own migrations"},
			{"github.com/riverqueue/river/riverdriver", "the type of River's driver"},
			{"github.com/riverqueue/river/riverdriver/riverdatabasesql", "River's driver for PostgreSQL"},
			{"github.com/riverqueue/river/riverdriver/riversqlite", "River's driver for SQLite"},
			{"golang.org/x/sys", "free space before a backup"},
		},
		tests: []use{
			{"internal/catalog/catalogtest", "the three deployments to run on"},
			{"internal/catalog/document", "fills the catalog from YAML"},
			{"internal/pgtest", "throw-away PostgreSQL clusters"},
		},
	},
	{
		pkg: "internal/clidoc",
		may: []use{
			{"github.com/alecthomas/kong", "the model of a command line"},
		},
		tests: []use{
			{"os/exec", "has man and bash read what was made"},
		},
	},
	{
		pkg: "internal/config",
		may: []use{
			{"internal/alert", "its settings"},
			{"internal/auth", "its settings"},
			{"internal/cache", "its settings"},
			{"internal/clidoc", "manual pages and completions"},
			{"internal/media", "sizes as settings spell them"},
			{"internal/origin", "its settings"},
			{"internal/origin/azure", "its settings"},
			{"internal/origin/drive", "its settings"},
			{"internal/origin/local", "its settings"},
			{"internal/origin/s3", "its settings"},
			{"internal/printable", "what commands write goes through it"},
			{"internal/proxy", "its settings"},
			{"internal/syncer", "its settings"},
			{"internal/telemetry", "its settings"},
			{"internal/zoom", "its settings"},
			{"github.com/alecthomas/kong", "flags, environment and help"},
			{"go.yaml.in/yaml/v3", "the settings file"},
		},
		tests: []use{
			{"os/exec", "`go list`, to see that every setting is read"},
		},
	},
	{pkg: "internal/connlimit"},
	{
		pkg: "internal/demo",
		may: []use{
			{"internal/alert", "alerts that are switched off"},
			{"internal/archive", "the local folder as the syncer's target"},
			{"internal/auth", "the tokens in the printed links"},
			{"internal/catalog", "the demo's database"},
			{"internal/catalog/document", "fills it from YAML"},
			{"internal/catalog/schema", "creates its schema"},
			{"internal/demo/lessons", "the sample media"},
			{"internal/emulator", "the emulated Zoom's content"},
			{"internal/emulator/s3", "the bucket of --with-s3"},
			{"internal/emulator/zoom", "the Zoom of --with-syncer"},
			{"internal/media", "roles and recordings"},
			{"internal/origin/local", "the folder of recordings"},
			{"internal/origin/s3", "the settings of the bucket"},
			{"internal/syncer", "the syncer of --with-syncer"},
			{"internal/syncer/store", "watches the demo's ingest"},
			{"internal/telemetry", "the listeners, with other ports where the usual ones are in use"},
			{"internal/zoom", "the syncer's client"},
			{"github.com/prometheus/client_golang", "a registry for the demo's syncer"},
		},
	},
	{
		pkg: "internal/demo/lessons",
		tests: []use{
			{"internal/webvtt", "the captions are valid"},
			{"os/exec", "ffprobe reads the media"},
		},
	},
	{
		pkg: "internal/doctor",
		may: []use{
			{"internal/auth", "checks keys and JWKS as the gateway does"},
			{"internal/cache", "what the cache occupies"},
			{"internal/catalog", "the database's checks"},
			{"internal/catalog/schema", "the schema's checks"},
			{"internal/ffmpeg", "that ffmpeg runs, and its version"},
			{"internal/media", "sizes and error kinds"},
			{"internal/origin/s3", "lists the bucket, writes, reads and deletes"},
			{"internal/origin/azure", "lists the container, writes, reads and deletes"},
			{"internal/origin/drive", "what Drive allows"},
			{"internal/origin/local", "the folder of recordings"},
			{"internal/syncer", "the settings of the syncer"},
			{"internal/syncer/queue", "the kinds of jobs that are ours"},
			{"internal/syncer/store", "heartbeats, tenants and the last reconciliation"},
			{"internal/zoom", "what Zoom allows"},
			{"golang.org/x/sync", "runs and waits for several goroutines"},
			{"golang.org/x/sys", "free space and rights of directories"},
		},
		tests: []use{
			{"internal/emulator/azurite", "Microsoft's emulator"},
			{"internal/emulator/faultproxy", "an Azure that refuses"},
			{"internal/emulator/s3", "an S3 that refuses"},
			{"internal/emulator/drive", "a Drive that cannot be written"},
		},
	},
	{pkg: "internal/emulator"},
	{
		pkg: "internal/emulator/azurite",
		may: []use{
			{"os/exec", "installs Azurite and runs it"},
		},
	},
	{
		pkg: "internal/emulator/firefox",
		may: []use{
			{"os/exec", "runs Firefox"},
		},
	},
	{
		pkg: "internal/emulator/drive",
		may: []use{
			{"internal/emulator", "the files' content"},
		},
	},
	{pkg: "internal/emulator/s3"},
	{pkg: "internal/emulator/faultproxy"},
	{
		pkg: "internal/emulator/zoom",
		may: []use{
			{"internal/emulator", "the recordings' content"},
		},
	},
	{
		pkg: "internal/ffmpeg",
		may: []use{
			{"internal/media", "error kinds"},
			{"internal/mp4", "compares what was made with its parts"},
			{"os/exec", "runs ffmpeg and ffprobe"},
			{"golang.org/x/sys", "limits the programs' memory, and ends them with us"},
		},
	},
	{pkg: "internal/filename"},
	{
		pkg: "internal/layers",
		tests: []use{
			{"os/exec", "go list"},
		},
	},
	{pkg: "internal/layers/report"},
	{
		pkg: "internal/library",
		may: []use{
			{"internal/catalog", "sessions, the dialect and connections"},
			{"internal/media", "recordings, users and error kinds"},
			{"internal/syncer/store", "quotas and resync requests, which the syncer works on"},
			{"database/sql", "SQL of people's lists and edits"},
		},
		tests: []use{
			{"internal/auth", "the list's rule in SQL against the pure rule"},
			{"internal/catalog/catalogtest", "the three deployments to run on"},
			{"internal/pgtest", "throw-away PostgreSQL clusters"},
			{"internal/proxy", "the interfaces that it implements"},
			{"internal/proxy/api", "the interfaces that it implements"},
			{"github.com/prometheus/client_golang", "a registry for the cache under test"},
			{"go.uber.org/goleak", "finds goroutines that outlive a test"},
		},
	},
	{pkg: "internal/media"},
	{
		pkg: "internal/mp4",
		may: []use{
			{"internal/media", "error kinds"},
		},
	},
	{
		pkg: "internal/origin",
		may: []use{
			{"internal/media", "objects, spans and error kinds"},
			{"github.com/prometheus/client_golang", "registers its metrics"},
		},
		tests: []use{
			{"internal/origin/origintest", "the conformance suite of origins"},
			{"go.uber.org/goleak", "finds goroutines that outlive a test"},
		},
	},
	{
		pkg: "internal/origin/azure",
		may: []use{
			{"internal/archive", "it is an archive too"},
			{"internal/media", "objects, spans and error kinds"},
			{"internal/origin", "the interface, and its decorators"},
			{"github.com/Azure/azure-sdk-for-go/sdk/azcore", "the SDK's HTTP pipeline and errors"},
			{"github.com/Azure/azure-sdk-for-go/sdk/azidentity", "tokens of the environment, of workload and managed identities"},
			{"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob", "the SDK of Azure Blob Storage"},
			{"golang.org/x/sync", "several blocks at a time"},
		},
		tests: []use{
			{"internal/archive/archivetest", "the conformance suite of archives"},
			{"internal/emulator/azurite", "Microsoft's emulator"},
			{"internal/emulator/faultproxy", "an Azure that fails on request"},
			{"internal/origin/origintest", "the conformance suite of origins"},
			{"go.uber.org/goleak", "finds goroutines that outlive a test"},
		},
	},
	{
		pkg: "internal/origin/drive",
		may: []use{
			{"internal/archive", "it is an archive too"},
			{"internal/media", "objects, spans and error kinds"},
			{"internal/origin", "the interface, and its decorators"},
			{"golang.org/x/oauth2", "tokens of service accounts and users"},
			{"google.golang.org/api", "the Drive SDK"},
		},
		tests: []use{
			{"internal/archive/archivetest", "the conformance suite of archives"},
			{"internal/emulator", "content without a disk"},
			{"internal/emulator/drive", "a Drive that fails on request"},
			{"internal/origin/origintest", "the conformance suite of origins"},
			{"go.uber.org/goleak", "finds goroutines that outlive a test"},
		},
	},
	{
		pkg: "internal/origin/local",
		may: []use{
			{"internal/archive", "it is an archive too"},
			{"internal/media", "objects, spans and error kinds"},
		},
		tests: []use{
			{"internal/archive/archivetest", "the conformance suite of archives"},
			{"internal/origin/origintest", "the conformance suite of origins"},
			{"go.uber.org/goleak", "finds goroutines that outlive a test"},
		},
	},
	{
		pkg: "internal/origin/s3",
		may: []use{
			{"internal/archive", "it is an archive too"},
			{"internal/media", "objects, spans and error kinds"},
			{"internal/origin", "the checks of answers"},
			{"github.com/aws/aws-sdk-go-v2", "the core of the S3 SDK"},
			{"github.com/aws/aws-sdk-go-v2/config", "the usual sources of credentials"},
			{"github.com/aws/aws-sdk-go-v2/credentials", "those of the setting"},
			{"github.com/aws/aws-sdk-go-v2/service/s3", "the S3 SDK"},
			{"github.com/aws/smithy-go", "the SDK's errors and answers"},
			{"golang.org/x/sync", "several parts at the same time"},
		},
		tests: []use{
			{"internal/archive/archivetest", "the conformance suite of archives"},
			{"internal/emulator/s3", "an S3 that fails on request"},
			{"internal/origin/origintest", "the conformance suite of origins"},
			{"github.com/johannesboyne/gofakes3", "an S3 that others have written"},
			{"go.uber.org/goleak", "finds goroutines that outlive a test"},
		},
	},
	{
		pkg: "internal/origin/origintest",
		may: []use{
			{"internal/media", "the vocabulary: objects, spans, recordings, users, error kinds"},
			{"internal/origin", "the interface that the suite tests"},
		},
	},
	{
		pkg: "internal/origin/origintest/report",
		may: []use{
			{"os/exec", "runs the suites"},
		},
	},
	{
		pkg: "internal/origin/zoom",
		may: []use{
			{"internal/media", "objects, spans and error kinds"},
			{"internal/origin", "the interface, and its decorators"},
			{"internal/zoom", "credentials and downloads"},
		},
		tests: []use{
			{"internal/emulator", "content without a disk"},
			{"internal/emulator/zoom", "a Zoom that fails on request"},
			{"internal/origin/origintest", "the conformance suite of origins"},
			{"go.uber.org/goleak", "finds goroutines that outlive a test"},
		},
	},
	{
		pkg: "internal/pgtest",
		may: []use{
			{"os/exec", "starts PostgreSQL and PgBouncer"},
			{"github.com/jackc/pgx/v5", "waits until the server answers"},
		},
		tests: []use{
			{"go.uber.org/goleak", "finds goroutines that outlive a test"},
		},
	},
	{
		pkg: "internal/prewarm",
		may: []use{
			{"internal/media", "the recordings to warm"},
		},
	},
	{
		pkg: "internal/printable",
		may: []use{
			{"golang.org/x/term", "tells a terminal from a file"},
		},
	},
	{
		pkg: "internal/proxy",
		may: []use{
			{"internal/media", "the vocabulary: objects, spans, recordings, users, error kinds"},
			{"internal/proxy/accesslog", "the access record of the request"},
			{"internal/proxy/api", "mounts the recordings API"},
			{"internal/proxy/corkedconn", "wraps accepted connections"},
			{"internal/proxy/credentials", "whether a body that is announced is wanted"},
			{"internal/proxy/forwarded", "the client's address and the public base"},
			{"internal/proxy/pages", "mounts the pages"},
			{"internal/proxy/respond", "answers to unknown routes and to panics"},
			{"internal/proxy/route", "matches requests with routes"},
			{"internal/proxy/stream", "mounts streaming"},
			{"internal/requestline", "the longest target, and userinfo in a host"},
			{"github.com/prometheus/client_golang", "registers its metrics"},
			{"github.com/valyala/fasthttp", "the HTTP server"},
		},
		tests: []use{
			{"github.com/dunglas/httpsfv", "reads Cache-Status as clients do"},
			{"internal/proxy/precondition", "holds conditions against net/http"},
			{"os/exec", "curl and ffprobe as clients"},
			{"go.uber.org/goleak", "finds goroutines that outlive a test"},
			{"pgregory.net/rapid", "generated cases against a model"},
		},
	},
	{
		pkg: "internal/proxy/accesslog",
		may: []use{
			{"internal/media", "the vocabulary: objects, spans, recordings, users, error kinds"},
			{"github.com/valyala/fasthttp", "requests and responses"},
		},
	},
	{
		pkg: "internal/proxy/api",
		may: []use{
			{"internal/library", "the types of lists, quotas and edits"},
			{"internal/media", "objects, spans, recordings and refusals"},
			{"internal/proxy/accesslog", "the access record of the request"},
			{"internal/proxy/contenttype", "the media type that is served"},
			{"internal/proxy/credentials", "the token of the request"},
			{"internal/proxy/forwarded", "the client's address and the public base"},
			{"internal/proxy/respond", "JSON bodies, and errors as statuses"},
			{"internal/proxy/route", "the routes that it declares"},
			{"github.com/valyala/fasthttp", "requests and responses"},
		},
	},
	{
		pkg: "internal/proxy/contenttype",
		may: []use{
			{"internal/media", "the vocabulary: objects, spans, recordings, users, error kinds"},
		},
	},
	{
		pkg: "internal/proxy/corkedconn",
		may: []use{
			{"internal/requestline", "scans the start of each request"},
			{"golang.org/x/sys", "socket options and sendfile"},
			{"unsafe", "system calls of which the scheduler is not told"},
		},
	},
	{
		pkg: "internal/proxy/credentials",
		may: []use{
			{"internal/media", "the vocabulary: objects, spans, recordings, users, error kinds"},
			{"github.com/valyala/fasthttp", "requests and responses"},
		},
	},
	{
		pkg: "internal/proxy/forwarded",
		may: []use{
			{"github.com/valyala/fasthttp", "requests and responses"},
		},
	},
	{
		pkg: "internal/proxy/pages",
		may: []use{
			{"internal/proxy/accesslog", "the access record of the request"},
			{"internal/proxy/precondition", "If-Match, If-None-Match and their like"},
			{"internal/proxy/respond", "JSON bodies, and errors as statuses"},
			{"internal/proxy/route", "the routes that it declares"},
			{"github.com/andybalholm/brotli", "compresses what it serves"},
			{"github.com/valyala/fasthttp", "requests and responses"},
			{"golang.org/x/text", "negotiates Accept-Language"},
		},
		tests: []use{
			{"os/exec", "the bundler, which shows that the bundles are current"},
		},
	},
	{
		pkg: "internal/proxy/playbacks",
		may: []use{
			{"internal/media", "recordings, and the traceparent of a context"},
			{"internal/proxy/accesslog", "what an exchange came to"},
			{"internal/telemetry/trace", "the spans"},
		},
		tests: []use{
			{"internal/telemetry/trace/tracetest", "a collector"},
			{"github.com/prometheus/client_golang", "a registry"},
			{"go.uber.org/goleak", "finds goroutines that outlive a test"},
		},
	},
	{
		pkg: "internal/proxy/precondition",
		may: []use{
			{"internal/media", "the vocabulary: objects, spans, recordings, users, error kinds"},
		},
	},
	{
		pkg: "internal/proxy/respond",
		may: []use{
			{"internal/media", "the vocabulary: objects, spans, recordings, users, error kinds"},
			{"github.com/valyala/fasthttp", "requests and responses"},
		},
	},
	{
		pkg: "internal/proxy/route",
		may: []use{
			{"internal/proxy/accesslog", "the access record of the request"},
			{"github.com/valyala/fasthttp", "requests and responses"},
		},
	},
	{
		pkg: "internal/proxy/stream",
		may: []use{
			{"internal/filename", "the name in Content-Disposition"},
			{"internal/media", "objects, spans, recordings and refusals"},
			{"internal/proxy/accesslog", "the access record of the request"},
			{"internal/proxy/contenttype", "the media type that is served"},
			{"internal/proxy/corkedconn", "headers and body in one segment, sendfile"},
			{"internal/proxy/credentials", "the token of the request"},
			{"internal/proxy/precondition", "If-Match, If-None-Match and their like"},
			{"internal/proxy/respond", "JSON bodies, and errors as statuses"},
			{"github.com/prometheus/client_golang", "registers its metrics"},
			{"github.com/valyala/fasthttp", "requests and responses"},
			{"golang.org/x/time", "the rate of a stream"},
		},
		tests: []use{
			{"pgregory.net/rapid", "generated cases against a model"},
		},
	},
	{pkg: "internal/requestline"},
	{
		pkg: "internal/syncer",
		may: []use{
			{"internal/telemetry/trace", "hands the tracer to its parts"},
			{"internal/alert", "messages to operators"},
			{"internal/archive", "where recordings are archived"},
			{"internal/catalog", "transactions and error kinds of the database"},
			{"internal/ffmpeg", "joins, probes and encodes"},
			{"internal/media", "recordings, users, error kinds"},
			{"internal/printable", "what `syncer explain` shows of outside text"},
			{"internal/syncer/backfill", "wires backfills"},
			{"internal/syncer/ingest", "wires ingests"},
			{"internal/syncer/intake", "wires webhooks"},
			{"internal/syncer/move", "wires moves"},
			{"internal/syncer/observe", "what a syncer that observes would do"},
			{"internal/syncer/queue", "job kinds, and enqueueing in a transaction"},
			{"internal/syncer/reconcile", "wires reconciliation"},
			{"internal/syncer/retention", "wires expiry, purge and usage"},
			{"internal/syncer/secretbox", "encrypts download tokens and tenants' secrets"},
			{"internal/syncer/store", "the syncer's tables"},
			{"internal/syncer/workdir", "its temporary files"},
			{"internal/zoom", "events, API and downloads"},
			{"github.com/prometheus/client_golang", "registers its metrics"},
		},
		tests: []use{
			{"internal/pgtest", "counts the statements that reach PostgreSQL"},
			{"internal/syncer/syncertest", "a whole syncer between emulators"},
		},
	},
	{
		pkg: "internal/syncer/backfill",
		may: []use{
			{"internal/catalog", "transactions and error kinds of the database"},
			{"internal/media", "recordings, users, error kinds"},
			{"internal/syncer/parts", "which files of a meeting would be fetched"},
			{"internal/syncer/queue", "job kinds, and enqueueing in a transaction"},
			{"internal/syncer/store", "the syncer's tables"},
			{"internal/zoom", "events, API and downloads"},
			{"golang.org/x/sync", "parallel work with one error"},
			{"golang.org/x/time", "the rate of downloads"},
		},
		tests: []use{
			{"internal/emulator/zoom", "a Zoom that fails on request"},
			{"internal/syncer/syncertest", "a whole syncer between emulators"},
		},
	},
	{
		pkg: "internal/syncer/ingest",
		may: []use{
			{"internal/telemetry/trace", "the spans of an ingest and its steps"},
			{"internal/archive", "where recordings are archived"},
			{"internal/catalog", "transactions and error kinds of the database"},
			{"internal/ffmpeg", "joins, probes and encodes"},
			{"internal/filename", "the name of an archived file"},
			{"internal/media", "recordings, users, error kinds"},
			{"internal/syncer/parts", "chooses the parts"},
			{"internal/syncer/observe", "what a syncer that observes would do"},
			{"internal/syncer/queue", "job kinds, and enqueueing in a transaction"},
			{"internal/syncer/secretbox", "encrypts download tokens and tenants' secrets"},
			{"internal/syncer/store", "the syncer's tables"},
			{"internal/syncer/workdir", "its temporary files"},
			{"internal/webvtt", "captions from transcripts"},
			{"internal/zoom", "events, API and downloads"},
			{"github.com/prometheus/client_golang", "registers its metrics"},
		},
		tests: []use{
			{"internal/emulator", "content without a disk"},
			{"internal/emulator/azurite", "Microsoft's emulator of Azure"},
			{"internal/emulator/drive", "a Drive that fails on request"},
			{"internal/emulator/faultproxy", "holds and counts requests to Azure"},
			{"internal/emulator/s3", "an S3 whose uploads stop"},
			{"internal/emulator/zoom", "a Zoom that fails on request"},
			{"internal/origin/azure", "the archive under test"},
			{"internal/syncer", "a whole syncer around the package"},
			{"internal/syncer/reconcile", "wires reconciliation"},
			{"internal/syncer/syncertest", "a whole syncer between emulators"},
		},
	},
	{
		pkg: "internal/syncer/intake",
		may: []use{
			{"internal/telemetry/trace", "the spans of webhooks"},
			{"internal/catalog", "transactions and error kinds of the database"},
			{"internal/media", "recordings, users, error kinds"},
			{"internal/syncer/observe", "what a syncer that observes would do"},
			{"internal/syncer/queue", "job kinds, and enqueueing in a transaction"},
			{"internal/syncer/secretbox", "encrypts download tokens and tenants' secrets"},
			{"internal/syncer/store", "the syncer's tables"},
			{"internal/zoom", "events, API and downloads"},
			{"github.com/prometheus/client_golang", "registers its metrics"},
			{"golang.org/x/sync", "loads the tenants once for all that wait"},
			{"golang.org/x/time", "samples refused webhooks in the log"},
		},
		tests: []use{
			{"os/exec", "a process whose memory is measured"},
			{"internal/catalog/catalogtest", "migrated databases of every kind"},
			{"internal/emulator/zoom", "a Zoom that fails on request"},
			{"internal/pgtest", "counts statements"},
			{"internal/syncer", "a whole syncer around the package"},
			{"internal/syncer/syncertest", "a whole syncer between emulators"},
		},
	},
	{
		pkg: "internal/syncer/move",
		may: []use{
			{"internal/archive", "where recordings are moved from and to"},
			{"internal/catalog", "transactions and error kinds of the database"},
			{"internal/filename", "the name of an archived file"},
			{"internal/media", "recordings, users, error kinds"},
			{"internal/syncer/observe", "what a syncer that observes would do"},
			{"internal/syncer/store", "the syncer's tables"},
			{"internal/syncer/workdir", "its temporary files"},
			{"golang.org/x/sync", "parallel work with one error"},
			{"golang.org/x/time", "the rate of reading"},
		},
		tests: []use{
			{"internal/syncer/syncertest", "a whole syncer between emulators"},
		},
	},
	{
		pkg: "internal/syncer/observe",
		may: []use{
			{"internal/media", "error kinds"},
		},
	},
	{
		pkg: "internal/syncer/parts",
		tests: []use{
			{"pgregory.net/rapid", "generated cases against a model"},
		},
	},
	{
		pkg: "internal/syncer/queue",
		may: []use{
			{"internal/telemetry/trace", "the spans of jobs"},
			{"internal/catalog", "transactions and error kinds of the database"},
			{"internal/catalog/schema", "River's driver and schema"},
			{"internal/media", "recordings, users, error kinds"},
			{"internal/syncer/store", "the syncer's tables"},
			{"database/sql", "the transaction's type, for River"},
			{"github.com/prometheus/client_golang", "registers its metrics"},
			{"github.com/riverqueue/river", "the job queue"},
			{"github.com/riverqueue/river/riverdriver", "the type of River's driver"},
			{"github.com/riverqueue/river/rivertype", "states and hooks of jobs"},
			{"riverqueue.com/riverui", "the queue's page on the admin listener"},
		},
	},
	{
		pkg: "internal/syncer/reconcile",
		may: []use{
			{"internal/archive", "where recordings are archived"},
			{"internal/catalog", "transactions and error kinds of the database"},
			{"internal/media", "recordings, users, error kinds"},
			{"internal/syncer/ingest", "wires ingests"},
			{"internal/syncer/observe", "what a syncer that observes would do"},
			{"internal/syncer/queue", "job kinds, and enqueueing in a transaction"},
			{"internal/syncer/store", "the syncer's tables"},
			{"internal/zoom", "events, API and downloads"},
			{"github.com/prometheus/client_golang", "registers its metrics"},
			{"golang.org/x/sync", "parallel work with one error"},
		},
		tests: []use{
			{"internal/emulator/zoom", "a Zoom that fails on request"},
			{"internal/library", "what teachers see and edit"},
			{"internal/syncer", "a whole syncer around the package"},
			{"internal/syncer/syncertest", "a whole syncer between emulators"},
		},
	},
	{
		pkg: "internal/syncer/retention",
		may: []use{
			{"internal/archive", "where recordings are archived"},
			{"internal/catalog", "transactions and error kinds of the database"},
			{"internal/media", "recordings, users, error kinds"},
			{"internal/syncer/observe", "what a syncer that observes would do"},
			{"internal/syncer/queue", "job kinds, and enqueueing in a transaction"},
			{"internal/syncer/store", "the syncer's tables"},
			{"github.com/prometheus/client_golang", "registers its metrics"},
		},
		tests: []use{
			{"internal/syncer", "a whole syncer around the package"},
			{"internal/syncer/syncertest", "a whole syncer between emulators"},
		},
	},
	{pkg: "internal/syncer/secretbox"},
	{
		pkg: "internal/syncer/store",
		may: []use{
			{"internal/catalog", "sessions of the database, and its dialect"},
			{"internal/media", "the vocabulary: objects, spans, recordings, users, error kinds"},
			{"internal/zoom", "file kinds and accounts, as Zoom names them"},
			{"database/sql", "rows of the syncer's tables"},
		},
		tests: []use{
			{"internal/catalog/catalogtest", "a migrated database of each kind"},
			{"pgregory.net/rapid", "generated cases against a model"},
		},
	},
	{
		pkg: "internal/syncer/syncertest",
		may: []use{
			{"internal/alert", "messages to operators"},
			{"internal/archive", "where recordings are archived"},
			{"internal/catalog", "the database under it"},
			{"internal/catalog/document", "fills the catalog from YAML"},
			{"internal/catalog/schema", "creates the schema"},
			{"internal/emulator", "the recordings' content"},
			{"internal/emulator/drive", "the archive"},
			{"internal/emulator/s3", "an S3 that fails on request"},
			{"internal/emulator/zoom", "the source"},
			{"internal/media", "recordings, users, error kinds"},
			{"internal/origin/drive", "the archive in Drive"},
			{"internal/origin/local", "the archive in a folder"},
			{"internal/origin/s3", "the archive in a bucket"},
			{"internal/pgtest", "PostgreSQL clusters"},
			{"internal/syncer", "the syncer that it runs"},
			{"internal/syncer/intake", "wires webhooks"},
			{"internal/syncer/reconcile", "wires reconciliation"},
			{"internal/syncer/store", "the syncer's tables"},
			{"internal/zoom", "events, API and downloads"},
			{"database/sql", "the transaction's type, for River"},
			{"os/exec", "ffmpeg makes segments"},
			{"github.com/prometheus/client_golang", "registers its metrics"},
			{"go.uber.org/goleak", "finds goroutines that outlive a test"},
		},
	},
	{
		pkg: "internal/syncer/workdir",
		may: []use{
			{"internal/archive", "uploads from the directory continue where they broke off"},
			{"internal/media", "recordings, users, error kinds"},
			{"internal/syncer/queue", "waits for a lock within a time"},
			{"internal/syncer/store", "the reasons of full disks"},
		},
	},
	{
		pkg: "internal/telemetry",
		may: []use{
			{"internal/printable", "text logs on a terminal"},
			{"internal/requestline", "refuses what is no HTTP on the admin listener"},
			{"github.com/coreos/go-systemd/v22", "socket activation, readiness and watchdog"},
			{"github.com/prometheus/client_golang", "the registry and /metrics"},
			{"golang.org/x/sys", "free space of file systems"},
		},
		tests: []use{
			{"go.uber.org/goleak", "finds goroutines that outlive a test"},
		},
	},
	{
		pkg: "internal/telemetry/systemdtest",
		may: []use{
			{"os/exec", "starts the program that it watches"},
			{"unsafe", "holds a private lock of the program, so that it hangs"},
		},
	},
	{
		pkg: "internal/telemetry/trace",
		may: []use{
			{"internal/media", "error kinds, and the traceparent of a context"},
			{"github.com/prometheus/client_golang", "counts what was exported and dropped"},
			{"go.opentelemetry.io/otel", "spans and contexts; nothing else imports it"},
			{"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp", "OTLP over HTTP"},
			{"go.opentelemetry.io/otel/sdk", "sampling, batches, the resource"},
			{"go.opentelemetry.io/otel/trace", "the types of spans"},
		},
		tests: []use{
			{"internal/telemetry/trace/tracetest", "a collector"},
			{"go.uber.org/goleak", "finds goroutines that outlive a test"},
		},
	},
	{
		pkg: "internal/telemetry/trace/tracetest",
		may: []use{
			{"go.opentelemetry.io/proto/otlp", "the messages of OTLP"},
			{"google.golang.org/protobuf", "decodes them"},
		},
	},
	{pkg: "internal/webvtt"},
	{
		pkg: "internal/zoom",
		may: []use{
			{"internal/media", "error kinds"},
			{"golang.org/x/sync", "one token request for all who wait"},
			{"golang.org/x/time", "Zoom's rate limits"},
		},
		tests: []use{
			{"internal/emulator", "content without a disk"},
			{"internal/emulator/zoom", "a Zoom that fails on request"},
		},
	},
	{
		pkg: "test/e2e",
		tests: []use{
			{"internal/telemetry/trace/tracetest", "a collector of traces"},
			{"configs/monitoring", "the queries of the dashboard"},
			{"internal/archive", "fills and lists the archives that recordings are moved between"},
			{"internal/catalog", "looks at the database behind the binaries"},
			{"internal/catalog/document", "fills the catalog"},
			{"internal/catalog/schema", "creates the schema"},
			{"internal/demo/lessons", "real media to play"},
			{"internal/emulator", "content without a disk"},
			{"internal/emulator/azurite", "an Azure to move recordings to"},
			{"internal/emulator/drive", "a Drive that fails on request"},
			{"internal/emulator/firefox", "a real Firefox"},
			{"internal/emulator/s3", "a bucket to move recordings to"},
			{"internal/emulator/zoom", "a Zoom that fails on request"},
			{"internal/origin/azure", "fills and lists the archives that recordings are moved between"},
			{"internal/origin/drive", "fills and lists the archives that recordings are moved between"},
			{"internal/origin/s3", "fills and lists the archives that recordings are moved between"},
			{"internal/pgtest", "throw-away PostgreSQL clusters"},
			{"internal/zoom", "signs webhooks"},
			{"database/sql", "looks at rows that no route shows"},
			{"os/exec", "runs the binaries, ffmpeg and strace"},
			{"github.com/chromedp/cdproto", "the browser's events"},
			{"github.com/chromedp/chromedp", "drives a real browser"},
			{"github.com/jackc/pgx/v5", "PostgreSQL's driver, to look at rows"},
			{"modernc.org/sqlite", "SQLite's driver, to look at rows"},
		},
	},
}
