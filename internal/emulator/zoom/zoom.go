// Package zoom emulates Zoom as far as Lectern uses it: the token endpoint, cloud
// recordings, downloads with their redirects, and webhooks, with scripted faults. It is for
// tests, benchmarks and the demo.
package zoom

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/lectiospace/lectern/internal/emulator"
)

// Account is a Zoom account with one server-to-server app.
type Account struct {
	ID, ClientID, ClientSecret string
	Owner                      string // the user "me" means
}

// Meeting is one recorded instance.
type Meeting struct {
	Account   string
	ID        int64
	UUID      string
	Host      string // user id
	Topic     string
	Start     time.Time
	Minutes   int
	Files     []File
	NoFiles   bool // the key recording_files is missing: too short
	StringIDs bool // id and type come as strings, as some answers have them
}

// File is one file of a recording.
type File struct {
	ID, Type, View string
	Extension      string // file_extension; "" = as Type
	Start, End     time.Time
	Processing     bool
	Content        emulator.Content
	ContentType    string // of its downloads; "" = video/mp4 or application/octet-stream by Type
	NoSize         bool   // file_size is missing
	SizeOff        int64  // file_size is so many bytes more than what comes
	PageFor        int    // so many downloads of it answer 200 with a page
	CutFor         int    // so many downloads of it end in the middle without an error of the transport
	Deleted        bool   // in Zoom's trash
}

// Faults are scripted; the zero value is none. Counters count down.
type Faults struct {
	Latency      time.Duration
	APIStatus    int // every API call fails with it, APITimes times or for ever at 0
	APITimes     int
	MissingScope string
	WrongAccount bool // the token endpoint refuses
	TokenLife    time.Duration
	PerSecond    int       // 429 above so many API calls a second; 0 = no limit
	Pro          bool      // 429 above the limits of a Pro account: a second 20 lists, 30 of the others
	DailyLimit   time.Time // 429 until then, with an ISO 8601 Retry-After
	DownloadPage int       // so many downloads answer 200 with a page
	DownloadCut  int       // so many downloads break in the middle
	Download401  int       // so many downloads refuse their token
	NoRange      bool      // downloads do not know ranges
	Rate         int64
	WrongSize    bool   // file_size is one more than what comes
	SizeOff      int64  // file_size is so many bytes more than what comes
	ListBody     string // lists answer 200 with it, ListTimes times or for ever at 0
	ListTimes    int
	ListStatus   int       // the status that comes with ListBody, 200 at 0
	ListAfter    int       // so many lists are answered right before ListBody comes
	ClampTo      time.Time // lists end with this date, silently
	AbsentCalls  int       // so many reads of a meeting's recordings answer 404 with 3301
	AbsentUntil  time.Time // reads of a meeting's recordings answer 404 with 3301 until then
	HopWithToken bool      // downloads are redirected within the download host, which wants the token again
	ForeignHost  string    // download links point there
	NoRedirect   bool
}

// Answer is a scripted answer to a download, instead of bytes.
type Answer struct {
	Status int
	Type   string // Content-Type
	Body   string
	CDN    bool // the answer comes from the CDN, after the redirect
}

// Stats are counts of requests and bytes.
type Stats struct {
	Tokens, Lists, Gets, Deletes, Downloads int
	Bytes                                   int64
	Trashed                                 []string // uuid/file, in order
	WholeMeetings                           []string // deletions of all files: never wanted
	Limited                                 int      // answers with 429
	Leaked                                  int      // requests to the CDN that carried a token
}

// Server is the emulated Zoom. Safe for concurrent use.
type Server struct {
	mu       sync.Mutex
	accounts map[string]Account     // guarded by mu
	meetings map[string]*Meeting    // by uuid; guarded by mu
	tokens   map[string]issued      // guarded by mu
	pages    map[string]page        // guarded by mu
	faults   Faults                 // guarded by mu
	stats    Stats                  // guarded by mu
	answers  []Answer               // of the next downloads; guarded by mu
	calls    []time.Time            // within the last second; guarded by mu
	labeled  map[string][]time.Time // calls within the last second by account and label; guarded by mu
	deleting int                    // guarded by mu
	number   int                    // guarded by mu

	api, cdn *http.Server
	apiAddr  string
	cdnAddr  string
}

type issued struct {
	account string
	until   time.Time
}

type page struct {
	uuids []string
	until time.Time
}

// New makes a Zoom without accounts.
func New() *Server {
	return &Server{accounts: map[string]Account{}, meetings: map[string]*Meeting{}, tokens: map[string]issued{}, pages: map[string]page{}, labeled: map[string][]time.Time{}}
}

// Start listens on two free ports of 127.0.0.1, for the API and for the CDN.
func (s *Server) Start() error {
	for _, one := range []struct {
		server **http.Server
		addr   *string
		serve  http.Handler
	}{{&s.api, &s.apiAddr, s.apiHandler()}, {&s.cdn, &s.cdnAddr, http.HandlerFunc(s.serveCDN)}} {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		*one.addr = ln.Addr().String()
		server := &http.Server{Handler: one.serve, ReadHeaderTimeout: 10 * time.Second}
		*one.server = server
		go func() {
			if err := server.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
				panic("the emulated Zoom ended: " + err.Error())
			}
		}()
	}
	return nil
}

// apiHandler serves everything but the CDN.
func (s *Server) apiHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /oauth/token", s.token)
	mux.HandleFunc("/rec/download/", s.download)
	mux.HandleFunc("/v2/", s.serveAPI)
	return mux
}

// Stop closes both listeners and every connection.
func (s *Server) Stop() {
	for _, server := range []*http.Server{s.api, s.cdn} {
		if server != nil {
			_ = server.Close()
		}
	}
}

// APIURL and OAuthURL are what the settings of the same names want.
func (s *Server) APIURL() string { return "http://" + s.apiAddr + "/v2" }

// OAuthURL is the token endpoint.
func (s *Server) OAuthURL() string { return "http://" + s.apiAddr + "/oauth/token" }

// AddAccount adds an account, or replaces the one of its id.
func (s *Server) AddAccount(a Account) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.accounts[a.ID] = a
}

// AddMeeting adds a meeting, or replaces the one of its uuid.
func (s *Server) AddMeeting(m Meeting) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m.Files = slices.Clone(m.Files)
	s.meetings[m.UUID] = &m
}

// AddFile gives a meeting one more file.
func (s *Server) AddFile(uuid string, f File) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.meetings[uuid].Files = append(s.meetings[uuid].Files, f)
}

// Change changes a file under the lock.
func (s *Server) Change(uuid, fileID string, change func(*File)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.meetings[uuid].Files {
		if s.meetings[uuid].Files[i].ID == fileID {
			change(&s.meetings[uuid].Files[i])
		}
	}
}

// Remove deletes a meeting's recordings for good.
func (s *Server) Remove(uuid string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.meetings, uuid)
}

// SetFaults sets the faults from now on.
func (s *Server) SetFaults(f Faults) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = f
}

// ScriptDownloads sets the answers of the next downloads, one each. Later downloads give the
// bytes.
func (s *Server) ScriptDownloads(answers ...Answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers = slices.Clone(answers)
}

// scripted sends the next scripted answer, if it is one of this host's.
func (s *Server) scripted(w http.ResponseWriter, cdn bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.answers) == 0 || s.answers[0].CDN != cdn {
		return false
	}
	next := s.answers[0]
	s.answers = s.answers[1:]
	if next.Type != "" {
		w.Header().Set("Content-Type", next.Type)
	}
	w.WriteHeader(next.Status)
	_, _ = w.Write([]byte(next.Body))
	return true
}

// Stats counts the requests so far.
func (s *Server) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.stats
	out.Trashed, out.WholeMeetings = slices.Clone(out.Trashed), slices.Clone(out.WholeMeetings)
	return out
}

// ExpireTokens makes every token that was given out invalid.
func (s *Server) ExpireTokens() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens = map[string]issued{}
}

// fault reads the faults.
func (s *Server) fault() Faults {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.faults
}

// useFault reports whether a fault is due, and counts it down.
func (s *Server) useFault(n func(*Faults) *int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if left := n(&s.faults); *left > 0 {
		*left--
		return true
	}
	return false
}

// token is the endpoint of server-to-server OAuth.
func (s *Server) token(w http.ResponseWriter, r *http.Request) {
	id, secret, _ := r.BasicAuth()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.Tokens++
	account := s.accounts[r.PostFormValue("account_id")]
	switch {
	case r.PostFormValue("grant_type") != "account_credentials":
		answer(w, http.StatusBadRequest, map[string]string{"reason": "unsupported grant type", "error": "unsupported_grant_type"})
		return
	case account.ID == "" || s.faults.WrongAccount || account.ClientID != id || account.ClientSecret != secret:
		answer(w, http.StatusBadRequest, map[string]string{"reason": "Invalid client_id or client_secret", "error": "invalid_client"})
		return
	}
	life := s.faults.TokenLife
	if life == 0 {
		life = time.Hour
	}
	token := s.issue(account.ID, life)
	answer(w, http.StatusOK, map[string]any{
		"access_token": token, "token_type": "bearer", "expires_in": int(life.Seconds()),
		"scope": strings.Join(s.scopes(), " "), "api_url": "https://api.zoom.us",
	})
}

// scopes are what an app has, without the missing one; the caller holds mu.
func (s *Server) scopes() []string {
	all := []string{"cloud_recording:read:list_user_recordings:admin", "cloud_recording:read:list_recording_files:admin", "cloud_recording:delete:recording_file:admin"}
	return slices.DeleteFunc(all, func(scope string) bool { return scope == s.faults.MissingScope })
}

// issue makes a token; the caller holds mu.
func (s *Server) issue(account string, life time.Duration) string {
	s.number++
	token := fmt.Sprintf("zoom-token-%d-%d", s.number, time.Now().UnixNano())
	s.tokens[token] = issued{account, time.Now().Add(life)}
	return token
}

// bearer is the account a request's token belongs to, or "".
func (s *Server) bearer(r *http.Request) string {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.tokens[token]; ok && time.Now().Before(t.until) {
		return t.account
	}
	return ""
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

func fail(w http.ResponseWriter, status, code int, message string) {
	answer(w, status, map[string]any{"code": code, "message": message})
}

// pause waits for the set latency.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
