package api

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/lectiospace/lectern/internal/library"
	"github.com/lectiospace/lectern/internal/media"
)

// quotaShape is a teacher's quota, in the platform's order.
type quotaJSON struct {
	ID              int64       `json:"id"`
	Teacher         int64       `json:"teacher"`
	TeacherInfo     teacherJSON `json:"teacher_info"`
	TotalQuotaBytes int64       `json:"total_quota_bytes"`
	TotalGB         decimal     `json:"total_gb"`
	UsedBytes       int64       `json:"used_bytes"`
	UsedGB          decimal     `json:"used_gb"`
	AvailableGB     decimal     `json:"available_gb"`
	UsagePercent    decimal     `json:"usage_percent"`
	RecordingsCount int64       `json:"recordings_count"`
	PurchasedGB     int64       `json:"purchased_gb"`
	WarningSent     bool        `json:"warning_sent"`
	QuotaExceeded   bool        `json:"quota_exceeded"`
	LastWarningAt   instant     `json:"last_warning_at"`
	CreatedAt       instant     `json:"created_at"`
	UpdatedAt       instant     `json:"updated_at"`
}

type teacherJSON struct {
	ID        int64  `json:"id"`
	Email     string `json:"email"`
	Name      string `json:"name"`
	FirstName string `json:"first_name"`
	LastName  string `json:"last_name"`
}

func quotaOf(a library.Account) quotaJSON {
	return quotaJSON{
		ID: a.ID, Teacher: a.Teacher.ID,
		TeacherInfo:     teacherJSON{a.Teacher.ID, a.Teacher.Email, a.Teacher.FullName(), a.Teacher.First, a.Teacher.Last},
		TotalQuotaBytes: a.Total, TotalGB: gigabytes(a.Total), UsedBytes: a.Used, UsedGB: gigabytes(a.Used),
		AvailableGB: gigabytes(max(0, a.Total-a.Used)), UsagePercent: percent(a.Used, a.Total),
		RecordingsCount: a.Recordings, PurchasedGB: a.PurchasedGB, WarningSent: a.Warned, QuotaExceeded: a.Exceeded,
		LastWarningAt: instant(a.LastWarningAt), CreatedAt: instant(a.CreatedAt), UpdatedAt: instant(a.UpdatedAt),
	}
}

const adminsOnly = "Доступ запрещен"

// quotaList is GET storage/quotas/.
func (x *request) quotaList() (response, error) {
	if err := x.requireRole(media.RoleAdmin, "Доступ запрещен. Только для администраторов."); err != nil {
		return response{}, err
	}
	f, size, err := x.quotaFilter()
	if err != nil {
		return response{}, err
	}
	fetch := func(w library.Window) (any, int64, int64, error) {
		f.Window = w
		list, err := x.h.Services.Recordings.Quotas(x.ctx, f)
		rows := make([]quotaJSON, len(list.Accounts))
		for i, a := range list.Accounts {
			rows[i] = quotaOf(a)
		}
		return rows, int64(len(rows)), list.Total, err
	}
	if f.Sort == "usage_percent" { // the platform's is a bare array then
		rows, _, _, err := fetch(library.Window{})
		return response{http.StatusOK, rows}, err
	}
	return x.page(size, fetch)
}

// quotaFilter parses the parameters that narrow the quotas, and the size of a page.
func (x *request) quotaFilter() (f library.QuotaFilter, size int64, err error) {
	if f.Search, err = x.search(); err != nil {
		return f, 0, err
	}
	for name, to := range map[string]**bool{"exceeded": &f.Exceeded, "warning": &f.Warned} {
		switch text, err := x.query(name); {
		case err != nil:
			return f, 0, err
		case text == "":
		case strings.EqualFold(text, "true"), strings.EqualFold(text, "false"):
			value := strings.EqualFold(text, "true")
			*to = &value
		default:
			return f, 0, textError(http.StatusBadRequest, "Некорректный "+name+": ожидается true или false")
		}
	}
	f.Sort = string(x.c.QueryArgs().Peek("sort"))
	size = pageSize
	if text := string(x.c.QueryArgs().Peek("page_size")); text != "" {
		if size, err = strconv.ParseInt(text, 10, 64); err != nil || size < 1 {
			return f, 0, textError(http.StatusBadRequest, "Некорректный page_size: ожидается положительное число")
		}
		size = min(size, maxPageSize)
	}
	return f, size, nil
}

// quota is a quota by its id.
func (x *request) quota(id int64) (library.Account, error) {
	a, err := x.h.Services.Recordings.Quota(x.ctx, id)
	if media.KindOf(err) == media.NotFound {
		return a, detailError(http.StatusNotFound, "No TeacherStorageQuota matches the given query.")
	}
	return a, err
}

// quotaDetail is GET storage/quotas/{id}/.
func (x *request) quotaDetail() (response, error) {
	if err := x.requireRole(media.RoleAdmin, adminsOnly); err != nil {
		return response{}, err
	}
	a, err := x.quota(x.id)
	return response{http.StatusOK, quotaOf(a)}, err
}

// ownQuota is GET storage/quota/: the requesting teacher's. The first request creates
// it, as a first recording would.
func (x *request) ownQuota() (response, error) {
	if err := x.requireRole(media.RoleTeacher, "Доступ только для преподавателей"); err != nil {
		return response{}, err
	}
	id, err := x.h.Services.Quotas.OwnQuota(x.ctx, x.viewer.User.ID)
	if err != nil {
		return response{}, err
	}
	a, err := x.quota(id)
	return response{http.StatusOK, quotaOf(a)}, err
}

// maxRaise, in gigabytes, is far beyond what anybody buys and far from an overflow.
const maxRaise = 1_000_000

// raiseQuota is POST storage/quotas/{id}/increase/.
func (x *request) raiseQuota() (response, error) {
	if err := x.requireRole(media.RoleAdmin, adminsOnly); err != nil {
		return response{}, err
	}
	if _, err := x.quota(x.id); err != nil {
		return response{}, err
	}
	body, err := x.fields()
	if err != nil {
		return response{}, err
	}
	gb, err := parseGB(body["additional_gb"])
	if err != nil {
		return response{}, err
	}
	if err := x.h.Services.Quotas.RaiseQuota(x.ctx, x.id, int64(gb*(1<<30)), int64(gb)); err != nil {
		return response{}, err
	}
	a, err := x.quota(x.id)
	if err != nil {
		return response{}, err
	}
	text, err := decimal(gb).MarshalJSON()
	return response{http.StatusOK, struct {
		Message string    `json:"message"`
		Quota   quotaJSON `json:"quota"`
	}{fmt.Sprintf("Квота увеличена на %s ГБ", text), quotaOf(a)}}, err
}

// parseGB parses additional_gb: a number, or one written as text.
func parseGB(v any) (float64, error) {
	var text string
	switch v := v.(type) {
	case nil:
		return 0, textError(http.StatusBadRequest, "Укажите additional_gb")
	case json.Number:
		text = v.String()
	case string:
		text = strings.TrimSpace(v)
	default:
		return 0, textError(http.StatusBadRequest, "Неверный формат additional_gb")
	}
	gb, err := strconv.ParseFloat(text, 64)
	switch {
	case text == "":
		return 0, textError(http.StatusBadRequest, "Укажите additional_gb")
	case err != nil, math.IsNaN(gb), math.IsInf(gb, 0), gb > maxRaise:
		return 0, textError(http.StatusBadRequest, "Неверный формат additional_gb")
	case gb <= 0:
		return 0, textError(http.StatusBadRequest, "additional_gb должен быть положительным числом")
	}
	return gb, nil
}

// statistics is GET storage/statistics/.
func (x *request) statistics() (response, error) {
	if err := x.requireRole(media.RoleAdmin, adminsOnly); err != nil {
		return response{}, err
	}
	all, err := x.h.Services.Recordings.Storage(x.ctx, 5)
	if err != nil {
		return response{}, err
	}
	type topUser struct {
		Name    string  `json:"teacher_name"`
		ID      int64   `json:"teacher_id"`
		UsedGB  decimal `json:"used_gb"`
		TotalGB decimal `json:"total_gb"`
		Percent decimal `json:"usage_percent"`
	}
	top := make([]topUser, len(all.Top))
	for i, a := range all.Top {
		top[i] = topUser{a.Teacher.FullName(), a.Teacher.ID, gigabytes(a.Used), gigabytes(a.Total), percent(a.Used, a.Total)}
	}
	average := decimal(0)
	if all.Total > 0 {
		average = percent(all.Used, all.Total)
	}
	return response{http.StatusOK, struct {
		Teachers  int64     `json:"total_teachers"`
		Quota     decimal   `json:"total_quota_gb"`
		Used      decimal   `json:"total_used_gb"`
		Available decimal   `json:"total_available_gb"`
		Average   decimal   `json:"average_usage_percent"`
		Exceeded  int64     `json:"exceeded_count"`
		Warned    int64     `json:"warning_count"`
		Recorded  int64     `json:"total_recordings"`
		Top       []topUser `json:"top_users"`
	}{all.Teachers, gigabytes(all.Total), gigabytes(all.Used), gigabytes(all.Total - all.Used), average, all.Exceeded, all.Warned, all.Recorded, top}}, nil
}
