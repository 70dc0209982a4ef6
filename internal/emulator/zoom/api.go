package zoom

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// serveAPI answers everything under /v2/.
func (s *Server) serveAPI(w http.ResponseWriter, r *http.Request) {
	faults := s.fault()
	pause(r.Context(), faults.Latency)
	account := s.bearer(r)
	switch {
	case account == "":
		fail(w, http.StatusUnauthorized, 124, "Invalid access token.")
		return
	case time.Now().Before(faults.DailyLimit):
		w.Header().Set("X-RateLimit-Type", "Daily-limit")
		w.Header().Set("Retry-After", faults.DailyLimit.UTC().Format("2006-01-02T15:04:05Z"))
		fail(w, http.StatusTooManyRequests, 429, "You have reached the maximum daily rate limit for this API.")
		return
	case faults.PerSecond > 0 && !s.within(faults.PerSecond), faults.Pro && !s.withinPro(account, r.URL.Path):
		w.Header().Set("X-RateLimit-Type", "QPS")
		w.Header().Set("X-RateLimit-Remaining", "0")
		fail(w, http.StatusTooManyRequests, 429, "You have reached the maximum per-second rate limit for this API.")
		return
	case faults.APIStatus != 0 && (faults.APITimes == 0 || s.useFault(func(f *Faults) *int { return &f.APITimes })):
		fail(w, faults.APIStatus, faults.APIStatus, "emulated")
		if faults.APITimes == 1 {
			s.mu.Lock()
			s.faults.APIStatus = 0
			s.mu.Unlock()
		}
		return
	case faults.MissingScope != "" && (r.Method == http.MethodDelete || !strings.Contains(faults.MissingScope, ":delete:")):
		fail(w, http.StatusBadRequest, 4711, "Invalid access token, does not contain scopes:["+faults.MissingScope+"].")
		return
	}
	path := strings.Split(strings.TrimPrefix(r.URL.EscapedPath(), "/v2/"), "/")
	switch {
	case (faults.ListBody != "" || faults.ListStatus != 0) && path[0] == "users" && s.listFault():
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(cmp.Or(faults.ListStatus, http.StatusOK))
		_, _ = w.Write([]byte(faults.ListBody))
	case len(path) == 3 && path[0] == "meetings" && r.Method == http.MethodGet && s.absent():
		fail(w, http.StatusNotFound, 3301, "There is no recording for this meeting yet")
	case len(path) == 3 && path[0] == "users" && path[2] == "recordings" && r.Method == http.MethodGet:
		user, _ := url.PathUnescape(path[1])
		s.list(w, r, account, user)
	case len(path) >= 3 && path[0] == "meetings" && path[2] == "recordings":
		uuid, ok := meetingUUID(path[1])
		if !ok {
			fail(w, http.StatusBadRequest, 300, "Invalid meeting id.")
			return
		}
		switch {
		case len(path) == 3 && r.Method == http.MethodGet:
			s.get(w, r, account, uuid)
		case len(path) == 4 && path[3] != "" && r.Method == http.MethodDelete:
			file, _ := url.PathUnescape(path[3])
			s.trash(w, account, uuid, file)
		case r.Method == http.MethodDelete:
			s.mu.Lock()
			s.stats.WholeMeetings = append(s.stats.WholeMeetings, uuid)
			s.mu.Unlock()
			w.WriteHeader(http.StatusNoContent)
		default:
			http.NotFound(w, r)
		}
	default:
		http.NotFound(w, r)
	}
}

// listFault reports whether the next list is an error, and counts it down.
func (s *Server) listFault() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.faults.ListAfter > 0 {
		s.faults.ListAfter--
		return false
	}
	if s.faults.ListTimes > 0 {
		if s.faults.ListTimes--; s.faults.ListTimes == 0 {
			s.faults.ListBody, s.faults.ListStatus = "", 0
		}
	}
	return true
}

// absent reports whether a meeting's recordings are denied, and counts it down.
func (s *Server) absent() bool {
	s.mu.Lock()
	until := s.faults.AbsentUntil
	s.mu.Unlock()
	return time.Now().Before(until) || s.useFault(func(f *Faults) *int { return &f.AbsentCalls })
}

// meetingUUID reads a path element: one that begins with "/" or holds "//" must be
// encoded twice.
func meetingUUID(element string) (string, bool) {
	once, err := url.PathUnescape(element)
	if err != nil {
		return "", false
	}
	if strings.HasPrefix(once, "/") || strings.Contains(once, "//") {
		return "", false
	}
	if strings.Contains(once, "%") {
		twice, err := url.PathUnescape(once)
		return twice, err == nil
	}
	return once, true
}

// withinPro reports whether a call is below the account's limit for its label, and counts it.
func (s *Server) withinPro(account, path string) bool {
	label, limit := "light", 30
	if strings.HasPrefix(path, "/v2/users/") {
		label, limit = "medium", 20
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	key, since := account+" "+label, time.Now().Add(-time.Second)
	s.labeled[key] = slices.DeleteFunc(s.labeled[key], func(t time.Time) bool { return t.Before(since) })
	if len(s.labeled[key]) >= limit {
		s.stats.Limited++
		return false
	}
	s.labeled[key] = append(s.labeled[key], time.Now())
	return true
}

// within reports whether a call is below the limit of this second, and counts it.
func (s *Server) within(limit int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	since := time.Now().Add(-time.Second)
	s.calls = slices.DeleteFunc(s.calls, func(t time.Time) bool { return t.Before(since) })
	if len(s.calls) >= limit {
		return false
	}
	s.calls = append(s.calls, time.Now())
	return true
}

func (s *Server) list(w http.ResponseWriter, r *http.Request, account, user string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.Lists++
	if user == "me" {
		user = s.accounts[account].Owner
	}
	if !slices.ContainsFunc(s.users(account), func(u string) bool { return u == user }) && user != s.accounts[account].Owner {
		fail(w, http.StatusNotFound, 1001, "User does not exist: "+user+".")
		return
	}
	today := time.Now().UTC().Truncate(24 * time.Hour)
	from, to := date(r.URL.Query().Get("from"), today), date(r.URL.Query().Get("to"), today)
	if month := to.AddDate(0, -1, 0); from.Before(month) {
		from = month // clamped silently, as Zoom does
	}
	if clamp := s.faults.ClampTo.UTC().Truncate(24 * time.Hour); !s.faults.ClampTo.IsZero() && to.After(clamp) && !from.After(clamp) {
		to = clamp
	}
	size, _ := strconv.Atoi(r.URL.Query().Get("page_size"))
	if size <= 0 {
		size = 30
	}
	size = min(size, 300)
	var uuids []string
	if token := r.URL.Query().Get("next_page_token"); token != "" {
		p, ok := s.pages[token]
		if !ok || time.Now().After(p.until) {
			fail(w, http.StatusBadRequest, 300, "The next page token is invalid or expired.")
			return
		}
		uuids = p.uuids
	} else {
		for uuid, m := range s.meetings {
			at := m.Start.UTC()
			if m.Account == account && m.Host == user && !at.Before(from) && at.Before(to.AddDate(0, 0, 1)) {
				uuids = append(uuids, uuid)
			}
		}
		slices.SortFunc(uuids, func(a, b string) int {
			return cmp.Or(-s.meetings[a].Start.Compare(s.meetings[b].Start), strings.Compare(a, b))
		})
	}
	meetings := []map[string]any{}
	for _, uuid := range uuids[:min(size, len(uuids))] {
		if m := s.meetings[uuid]; m != nil && (m.NoFiles || len(s.present(m)) > 0) {
			meetings = append(meetings, s.resource(m, false))
		}
	}
	next := ""
	if len(uuids) > size {
		s.number++
		next = fmt.Sprintf("page-%d", s.number)
		s.pages[next] = page{uuids[size:], time.Now().Add(15 * time.Minute)}
	}
	answer(w, http.StatusOK, map[string]any{
		"from": from.Format(time.DateOnly), "to": to.Format(time.DateOnly), "page_size": size,
		"total_records": len(uuids), "next_page_token": next, "meetings": meetings,
	})
}

// users are the hosts of an account; the caller holds mu.
func (s *Server) users(account string) (out []string) {
	for _, m := range s.meetings {
		if m.Account == account {
			out = append(out, m.Host)
		}
	}
	return out
}

func date(text string, otherwise time.Time) time.Time {
	if t, err := time.Parse(time.DateOnly, text); err == nil {
		return t
	}
	return otherwise
}

func (s *Server) get(w http.ResponseWriter, r *http.Request, account, uuid string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.Gets++
	m := s.meetings[uuid]
	if m == nil || m.Account != account || !m.NoFiles && len(s.present(m)) == 0 {
		fail(w, http.StatusNotFound, 3301, "There is no recording for this meeting.")
		return
	}
	out := s.resource(m, false)
	if strings.Contains(r.URL.Query().Get("include_fields"), "download_access_token") {
		out["download_access_token"] = s.issue(account, 24*time.Hour)
	}
	out["password"], out["recording_play_passcode"] = "secret-passcode", "secret-play-passcode"
	answer(w, http.StatusOK, out)
}

// present are the files that are not in the trash.
func (s *Server) present(m *Meeting) (out []File) {
	for _, f := range m.Files {
		if !f.Deleted {
			out = append(out, f)
		}
	}
	return out
}

// resource is a meeting as the API and webhooks show it; the caller holds mu.
func (s *Server) resource(m *Meeting, trashed bool) map[string]any {
	out := map[string]any{
		"uuid": m.UUID, "id": m.ID, "account_id": m.Account, "host_id": m.Host, "host_email": m.Host + "@example.org",
		"topic": m.Topic, "type": 8, "start_time": m.Start.UTC().Format("2006-01-02T15:04:05Z"), "timezone": "UTC", "duration": m.Minutes,
		"share_url": "https://zoom.us/rec/share/" + url.QueryEscape(m.UUID),
	}
	if m.StringIDs {
		out["id"], out["type"] = strconv.FormatInt(m.ID, 10), "8"
		out["start_time"] = m.Start.UTC().Format("2006-01-02T15:04:05.000+00:00")
	}
	if m.NoFiles {
		return out
	}
	files := []map[string]any{}
	total := int64(0)
	for _, f := range m.Files {
		if f.Deleted && !trashed {
			continue
		}
		files = append(files, s.fileResource(m, f))
		total += f.Content.Size()
	}
	out["recording_files"], out["recording_count"], out["total_size"] = files, len(files), total
	return out
}

func (s *Server) fileResource(m *Meeting, f File) map[string]any {
	host := s.apiAddr
	if s.faults.ForeignHost != "" {
		host = s.faults.ForeignHost
	}
	out := map[string]any{
		"meeting_id": m.UUID, "file_type": f.Type, "file_extension": cmp.Or(f.Extension, f.Type),
		"recording_start": f.Start.UTC().Format("2006-01-02T15:04:05Z"),
		"download_url":    "http://" + host + "/rec/download/" + url.PathEscape(url.PathEscape(m.UUID)) + "/" + f.ID,
	}
	if f.Type == "TIMELINE" || f.Type == "CC" {
		return out // these come without id, status and size
	}
	size := f.Content.Size()
	size += s.faults.SizeOff + f.SizeOff
	if s.faults.WrongSize {
		size++
	}
	out["id"], out["recording_type"], out["file_size"] = f.ID, f.View, size
	if f.NoSize {
		delete(out, "file_size")
	}
	out["status"], out["recording_end"] = "completed", f.End.UTC().Format("2006-01-02T15:04:05Z")
	if f.Processing {
		out["status"], out["recording_end"] = "processing", ""
	}
	return out
}

func (s *Server) trash(w http.ResponseWriter, account, uuid, file string) {
	s.mu.Lock()
	s.stats.Deletes++
	busy := s.deleting > 0
	s.deleting++
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.deleting--
		s.mu.Unlock()
	}()
	if busy {
		fail(w, http.StatusTooManyRequests, 429, "Too many concurrent requests. A request to disassociate this user has already been made.")
		return
	}
	time.Sleep(2 * time.Millisecond)
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.meetings[uuid]
	if m == nil || m.Account != account {
		fail(w, http.StatusNotFound, 3301, "There is no recording for this meeting.")
		return
	}
	for i := range m.Files {
		if m.Files[i].ID == file && !m.Files[i].Deleted {
			m.Files[i].Deleted = true
			s.stats.Trashed = append(s.stats.Trashed, uuid+"/"+file)
			w.WriteHeader(http.StatusNoContent)
			return
		}
	}
	fail(w, http.StatusNotFound, 3301, "Recording file does not exist.")
}
