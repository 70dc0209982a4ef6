// Package tracetest is a collector of traces for tests: it takes OTLP over HTTP, as real
// ones do, and decodes what comes.
package tracetest

import (
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// Span is a span that was received.
type Span struct {
	Name           string
	TraceID, ID    string // lower-case hex
	Parent         string // lower-case hex, "" for a root
	Links          []string
	Service        string
	Attrs          map[string]string
	Failed         bool
	Start, End     time.Time
	RequestHeaders http.Header // of the request that brought it
}

// Traceparent names the span as the header does.
func (s Span) Traceparent() string { return "00-" + s.TraceID + "-" + s.ID + "-01" }

// Collector is a server that takes spans. Safe for concurrent use.
type Collector struct {
	URL string

	mu    sync.Mutex
	spans []Span        // guarded by mu
	hold  chan struct{} // requests wait until it is closed; nil = they do not; guarded by mu
	grown chan struct{} // closed and replaced with each request; guarded by mu
}

// New starts a collector, which ends with the test.
func New(tb testing.TB) *Collector {
	tb.Helper()
	c := &Collector{grown: make(chan struct{})}
	server := httptest.NewServer(http.HandlerFunc(c.receive))
	c.URL = server.URL
	tb.Cleanup(func() { c.Release(); server.Close() })
	return c
}

// Hold has requests wait until Release, as those to a collector that hangs.
func (c *Collector) Hold() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hold = make(chan struct{})
}

// Release ends Hold.
func (c *Collector) Release() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.hold != nil {
		close(c.hold)
		c.hold = nil
	}
}

func (c *Collector) receive(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	c.mu.Lock()
	hold := c.hold
	c.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-r.Context().Done():
			return
		}
	}
	var request collectorpb.ExportTraceServiceRequest
	if err != nil || r.Method != http.MethodPost || r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/x-protobuf" || proto.Unmarshal(body, &request) != nil {
		http.Error(w, "no OTLP", http.StatusBadRequest)
		return
	}
	c.add(&request, r.Header)
	answer, err := proto.Marshal(&collectorpb.ExportTraceServiceResponse{})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
	_, _ = w.Write(answer)
}

func (c *Collector) add(request *collectorpb.ExportTraceServiceRequest, header http.Header) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, resource := range request.GetResourceSpans() {
		about := attributes(resource.GetResource().GetAttributes())
		for _, scope := range resource.GetScopeSpans() {
			for _, s := range scope.GetSpans() {
				span := Span{
					Name: s.GetName(), TraceID: hex.EncodeToString(s.GetTraceId()), ID: hex.EncodeToString(s.GetSpanId()), Parent: hex.EncodeToString(s.GetParentSpanId()),
					Service: about["service.name"], Attrs: attributes(s.GetAttributes()), Failed: s.GetStatus().GetCode() == tracepb.Status_STATUS_CODE_ERROR,
					Start: time.Unix(0, int64(s.GetStartTimeUnixNano())), End: time.Unix(0, int64(s.GetEndTimeUnixNano())), RequestHeaders: header,
				}
				for _, link := range s.GetLinks() {
					span.Links = append(span.Links, hex.EncodeToString(link.GetSpanId()))
				}
				c.spans = append(c.spans, span)
			}
		}
	}
	close(c.grown)
	c.grown = make(chan struct{})
}

func attributes(list []*commonpb.KeyValue) map[string]string {
	out := map[string]string{}
	for _, a := range list {
		switch v := a.GetValue().GetValue().(type) {
		case *commonpb.AnyValue_StringValue:
			out[a.GetKey()] = v.StringValue
		case *commonpb.AnyValue_IntValue:
			out[a.GetKey()] = fmt.Sprint(v.IntValue)
		case *commonpb.AnyValue_DoubleValue:
			out[a.GetKey()] = fmt.Sprint(v.DoubleValue)
		case *commonpb.AnyValue_BoolValue:
			out[a.GetKey()] = fmt.Sprint(v.BoolValue)
		default:
			out[a.GetKey()] = a.GetValue().String()
		}
	}
	return out
}

// Spans are those received so far.
func (c *Collector) Spans() []Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.spans)
}

// Named are the spans of a name received so far.
func (c *Collector) Named(name string) (out []Span) {
	for _, s := range c.Spans() {
		if s.Name == name {
			out = append(out, s)
		}
	}
	return out
}

// Await waits for a span that match accepts.
func (c *Collector) Await(tb testing.TB, what string, match func(Span) bool) Span {
	tb.Helper()
	timeout := time.After(time.Minute)
	for {
		c.mu.Lock()
		spans, grown := slices.Clone(c.spans), c.grown
		c.mu.Unlock()
		if i := slices.IndexFunc(spans, match); i >= 0 {
			return spans[i]
		}
		select {
		case <-grown:
		case <-timeout:
			tb.Fatalf("no %s within a minute among %d spans: %+v", what, len(spans), spans)
		}
	}
}
