package demo

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"log/slog"
	"mime"
	"net"
	"net/http"
	"path"
	"time"

	"github.com/lectiospace/lectern/internal/demo/lessons"
	s3emu "github.com/lectiospace/lectern/internal/emulator/s3"
	"github.com/lectiospace/lectern/internal/origin/s3"
)

// Bucket is an emulated bucket of S3 that holds the sample media, on a port of its own.
type Bucket struct {
	server *http.Server
	config s3.Config
}

const (
	bucketName   = "demo-lessons"
	bucketRegion = "eu-central-1"
	bucketPrefix = "school/"
	bucketKeyID  = "DEMO"
)

// StartBucket starts a bucket with the sample media. Stop ends it.
func StartBucket(log *slog.Logger) (*Bucket, error) {
	emulator := s3emu.New(s3emu.Config{Bucket: bucketName, Region: bucketRegion, KeyID: bucketKeyID})
	for _, name := range lessons.Files() {
		data, err := fs.ReadFile(lessons.Media(), name)
		if err != nil {
			return nil, err
		}
		emulator.Put(bucketPrefix+name, data, mime.TypeByExtension(path.Ext(name)))
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	b := &Bucket{server: &http.Server{Handler: emulator, ReadHeaderTimeout: 5 * time.Second}}
	place := s3.Place{Bucket: bucketName, Region: bucketRegion, Endpoint: "http://" + listener.Addr().String(), PathStyle: true, Prefix: bucketPrefix}
	b.config = s3.Config{URL: place.String(), Credentials: bucketKeyID + ":" + rand.Text()}
	go func() {
		if err := b.server.Serve(listener); err != nil && !errors.Is(err, http.ErrServerClosed) {
			log.Error("demo: the bucket has stopped", slog.Any("error", err))
		}
	}()
	return b, nil
}

// Config are the settings with which the gateway reads the bucket.
func (b *Bucket) Config() s3.Config { return b.config }

// Stop ends the bucket.
func (b *Bucket) Stop() { _ = b.server.Close() }
