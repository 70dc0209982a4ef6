package store_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/catalog/catalogtest"
	"github.com/lectiospace/lectern/internal/syncer/store"
)

// teacher has a quota of 1000 bytes in these tests; one and two are recordings.
const (
	teacher = int64(3)
	one     = int64(1)
	two     = int64(2)
)

var now = catalogtest.DemoNow

// step changes the account of a teacher and returns what the call said.
type step func(ctx context.Context, x store.Session) (string, error)

func reserve(recording, size int64) step {
	return func(ctx context.Context, x store.Session) (string, error) {
		loaded, err := store.LoadQuota(ctx, x, teacher, now)
		if err != nil {
			return "", err
		}
		ok, q, err := store.Reserve(ctx, x, recording, teacher, size, now)
		if err == nil && q != loaded {
			err = fmt.Errorf("the account is %+v, and Reserve says %+v", loaded, q)
		}
		return map[bool]string{true: "reserved", false: "no room"}[ok], err
	}
}

func commit(recording, size int64) step {
	return func(ctx context.Context, x store.Session) (string, error) {
		warn, q, err := store.Commit(ctx, x, recording, teacher, size, now)
		if err != nil {
			return "", err
		}
		loaded, err := store.LoadQuota(ctx, x, teacher, now)
		if q.Reserved = loaded.Reserved; err == nil && q != loaded { // Commit has read it before
			err = fmt.Errorf("the account is %+v, and Commit says %+v", loaded, q)
		}
		return map[bool]string{true: "warned", false: "-"}[warn], err
	}
}

// reserveForAnother reserves for a teacher who has room enough.
func reserveForAnother(recording, size int64) step {
	return func(ctx context.Context, x store.Session) (string, error) {
		q, err := store.LoadQuota(ctx, x, teacher+1, now)
		if err != nil {
			return "", err
		}
		if err := store.RaiseQuota(ctx, x, q.ID, 1<<40, 0, now); err != nil {
			return "", err
		}
		ok, _, err := store.Reserve(ctx, x, recording, teacher+1, size, now)
		return map[bool]string{true: "reserved", false: "no room"}[ok], err
	}
}

func release(recording int64) step {
	return func(ctx context.Context, x store.Session) (string, error) {
		return "-", store.Release(ctx, x, recording, now)
	}
}

func refund(recording, size int64) step {
	return func(ctx context.Context, x store.Session) (string, error) {
		return "-", store.Refund(ctx, x, recording, teacher, size, now)
	}
}

func refundNobody(recording, size int64) step {
	return func(ctx context.Context, x store.Session) (string, error) {
		return "-", store.Refund(ctx, x, recording, 0, size, now)
	}
}

func markRefunded(recording int64) step {
	return func(ctx context.Context, x store.Session) (string, error) {
		return "-", store.MarkRefunded(ctx, x, recording, now)
	}
}

func recharge(recording int64) step {
	return func(ctx context.Context, x store.Session) (string, error) {
		ok, err := store.Recharge(ctx, x, recording, now)
		return map[bool]string{true: "charged", false: "no room"}[ok], err
	}
}

// TestQuota: the account of a teacher after each sequence of calls, in every kind of
// database.
func TestQuota(t *testing.T) {
	catalogtest.Each(t, func(t *testing.T, db *catalogtest.DB) {
		for _, c := range []struct {
			name             string
			used, recordings int64 // before
			steps            []step
			said             string // by each step
			want             string // used/recordings/reserved and the flags
		}{
			{"a reservation", 0, 0, []step{reserve(one, 100)}, "reserved", "0/0/100"},
			{"a second reservation replaces the first", 0, 0, []step{reserve(one, 900), reserve(one, 100)}, "reserved reserved", "0/0/100"},
			{"a second reservation takes the first one's room", 0, 0, []step{reserve(one, 900), reserve(one, 200)}, "reserved reserved", "0/0/200"},
			{"a reservation that was another teacher's", 0, 0, []step{reserveForAnother(one, 600), reserve(one, 1000)}, "reserved reserved", "0/0/1000"},
			{"one that was another teacher's gives no room", 0, 0, []step{reserveForAnother(one, 600), reserve(one, 1001)}, "reserved no room", "0/0/0"},
			{"what was refunded is reserved whole", 0, 0, []step{commit(one, 100), refund(one, 100), reserve(one, 300)}, "- - reserved", "0/0/300"},
			{"a reservation that fits exactly", 500, 5, []step{reserve(one, 500)}, "reserved", "500/5/500"},
			{"one byte too many", 500, 5, []step{reserve(one, 501)}, "no room", "500/5/0"},
			{"reservations count against each other", 0, 0, []step{reserve(one, 600), reserve(two, 401)}, "reserved no room", "0/0/600"},
			{"a failed reservation leaves the old one", 0, 0, []step{reserve(one, 600), reserve(one, 1001)}, "reserved no room", "0/0/600"},
			{"a commit of what was reserved", 0, 0, []step{reserve(one, 100), commit(one, 100)}, "reserved -", "100/1/0"},
			{"a commit of more than was reserved", 0, 0, []step{reserve(one, 100), commit(one, 150)}, "reserved -", "150/1/0"},
			{"a commit counts once", 0, 0, []step{commit(one, 100), commit(one, 100)}, "- -", "100/1/0"},
			{"a later version replaces the charge", 0, 0, []step{commit(one, 100), reserve(one, 300), commit(one, 300)}, "- reserved -", "300/1/0"},
			{"a later version reserves what it adds", 0, 0, []step{commit(one, 100), reserve(one, 300)}, "- reserved", "100/1/200"},
			{"a smaller version needs no room", 999, 9, []step{commit(one, 1), reserve(one, 1)}, "warned reserved", "1000/10/0 exceeded warned"},
			{"a smaller version where too much is used", 1100, 10, []step{commit(one, 50), reserve(one, 50)}, "warned reserved", "1150/11/0 exceeded warned"},
			{"a smaller version below 80 %", 0, 0, []step{commit(one, 800), commit(one, 100)}, "warned -", "100/1/0"},
			{"a release", 0, 0, []step{reserve(one, 100), release(one)}, "reserved -", "0/0/0"},
			{"a release leaves the charge", 0, 0, []step{commit(one, 100), reserve(one, 300), release(one)}, "- reserved -", "100/1/0"},
			{"the warning comes at 80 %, once", 0, 0, []step{commit(one, 799), commit(two, 1), commit(two, 2)}, "- warned -", "801/2/0 warned"},
			{"below 80 % the next warning is due again", 0, 0, []step{commit(one, 800), refund(one, 800), commit(two, 800)}, "warned - warned", "800/1/0 warned"},
			{"a full quota", 0, 0, []step{commit(one, 1000)}, "warned", "1000/1/0 exceeded warned"},
			{"a refund is of the charge, whatever the size", 0, 0, []step{commit(one, 100), refund(one, 77)}, "- -", "0/0/0"},
			{"a refund counts once", 500, 5, []step{commit(one, 100), refund(one, 100), refund(one, 100)}, "- - -", "500/5/0"},
			{"a refund of what the platform charged", 500, 5, []step{refund(one, 100)}, "-", "400/4/0"},
			{"a refund to nobody", 500, 5, []step{refundNobody(one, 100)}, "-", "500/5/0"},
			{"a refund of a reservation", 500, 5, []step{reserve(one, 100), refund(one, 100)}, "reserved -", "500/5/0"},
			{"an account is never below zero", 50, 0, []step{refund(one, 100)}, "-", "0/0/0"},
			{"the platform's own refund", 500, 5, []step{commit(one, 100), markRefunded(one), refund(one, 100)}, "- - -", "600/6/0"},
			{"a restored recording", 0, 0, []step{commit(one, 100), refund(one, 100), recharge(one)}, "- - charged", "100/1/0"},
			{"a restored recording is charged once", 0, 0, []step{commit(one, 100), refund(one, 100), recharge(one), recharge(one)}, "- - charged charged", "100/1/0"},
			{"a restored recording without room", 0, 0, []step{commit(one, 100), refund(one, 100), commit(two, 901), recharge(one)}, "- - warned no room", "901/1/0 warned"},
			{"a restored recording beside a reservation", 0, 0, []step{commit(one, 100), refund(one, 100), reserve(two, 901), recharge(one)}, "- - reserved no room", "0/0/901"},
		} {
			var said []string
			var got store.Quota
			err := db.Update(t.Context(), "test", func(x store.Session) error {
				ctx := t.Context()
				said = nil
				if _, err := store.LoadQuota(ctx, x, teacher, now); err != nil {
					return err
				}
				if _, err := x.Exec(ctx, `UPDATE public.schedule_teacherstoragequota SET total_quota_bytes = 1000, used_bytes = $2, recordings_count = $3, warning_sent = $4, quota_exceeded = $4 WHERE teacher_id = $1`,
					teacher, c.used, c.recordings, false); err != nil {
					return err
				}
				for _, s := range c.steps {
					word, err := s(ctx, x)
					if err != nil {
						return err
					}
					said = append(said, word)
				}
				var err error
				if got, err = store.LoadQuota(ctx, x, teacher, now); err != nil {
					return err
				}
				return catalog.ErrDryRun
			})
			if err != nil && !errors.Is(err, catalog.ErrDryRun) {
				t.Fatalf("%s: %v", c.name, err)
			}
			if text := strings.Join(said, " "); text != c.said {
				t.Errorf("%s: the calls said %q, want %q", c.name, text, c.said)
			}
			if text := describe(got); text != c.want {
				t.Errorf("%s: %s, want %s", c.name, text, c.want)
			}
		}
	})
}

// TestNewAccount: a teacher without an account has the platform's quota, and reading it makes
// none.
func TestNewAccount(t *testing.T) {
	want := store.Quota{TeacherID: teacher, Total: 5 << 30}
	err := catalogtest.Databases[0].Open(t).Update(t.Context(), "test", func(x store.Session) error {
		ctx := t.Context()
		if _, err := x.Exec(ctx, `DELETE FROM public.schedule_teacherstoragequota`); err != nil {
			return err
		}
		if got, err := store.ReadQuota(ctx, x, teacher); err != nil || got != want {
			t.Errorf("read: %+v, %v", got, err)
		}
		if made, err := accounts(ctx, x); err != nil || made != "" {
			t.Errorf("after it was read: %s, %v", made, err)
		}
		got, err := store.LoadQuota(ctx, x, teacher, now)
		if got.ID == 0 {
			t.Error("loaded, and not made")
		}
		got.ID = 0
		if err != nil || got != want {
			t.Errorf("loaded: %+v, %v", got, err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestRaise: a raised quota takes a warning back below 80 %, and gives none.
func TestRaise(t *testing.T) {
	db := catalogtest.Databases[0].Open(t)
	for _, c := range []struct {
		used, more       int64
		warned           bool
		after, exceeding bool
	}{
		{900, 100, true, true, false}, {900, 125, true, true, false}, {900, 139, true, false, false},
		{900, 100, false, false, false}, {100, 1, false, false, false}, {1100, 100, true, true, true}, {1099, 100, true, true, false},
	} {
		err := db.Update(t.Context(), "test", func(x store.Session) error {
			ctx := t.Context()
			q, err := store.LoadQuota(ctx, x, teacher, now)
			if err != nil {
				return err
			}
			if _, err := x.Exec(ctx, `UPDATE public.schedule_teacherstoragequota SET total_quota_bytes = 1000, used_bytes = $2, warning_sent = $3, quota_exceeded = $3 WHERE id = $1`, q.ID, c.used, c.warned); err != nil {
				return err
			}
			if err := store.RaiseQuota(ctx, x, q.ID, c.more, 0, now); err != nil {
				return err
			}
			if q, err = store.LoadQuota(ctx, x, teacher, now); err == nil && (q.Warned != c.after || q.Exceeded != c.exceeding || q.Total != 1000+c.more) {
				t.Errorf("%+v: %+v", c, q)
			}
			if read, err := store.ReadQuota(ctx, x, teacher); err != nil || read != q {
				t.Errorf("loaded %+v, read %+v, %v", q, read, err)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestShare(t *testing.T) {
	for _, c := range []struct {
		used, total int64
		want        int
	}{{0, 0, 100}, {0, -1, 100}, {0, 1, 0}, {799, 1000, 79}, {800, 1000, 80}, {1000, 1000, 100}} {
		if got := (store.Quota{Used: c.used, Total: c.total}).Share(); got != c.want {
			t.Errorf("%d of %d: %d %%", c.used, c.total, got)
		}
	}
}

func describe(q store.Quota) string {
	out := fmt.Sprintf("%d/%d/%d", q.Used, q.Recordings, q.Reserved)
	if q.Exceeded {
		out += " exceeded"
	}
	if q.Warned {
		out += " warned"
	}
	return out
}

// TestAccountsOfTwo: what is reserved is the reserving teacher's alone, filling goes on after the
// first account that changes, and what belongs to no teacher has no account.
func TestAccountsOfTwo(t *testing.T) {
	err := catalogtest.Databases[0].Open(t).Update(t.Context(), "test", func(x store.Session) error {
		ctx := t.Context()
		if ok, _, err := store.Reserve(ctx, x, one, teacher, 70, now); err != nil || !ok {
			return fmt.Errorf("reserve: %t, %w", ok, err)
		}
		for id, want := range map[int64]int64{teacher: 70, teacher + 1: 0} {
			if q, err := store.ReadQuota(ctx, x, id); err != nil || q.Reserved != want {
				t.Errorf("teacher %d has reserved %d, want %d; %v", id, q.Reserved, want, err)
			}
			if _, err := store.LoadQuota(ctx, x, id, now); err != nil {
				return err
			}
		}
		if _, err := x.Exec(ctx, `UPDATE public.schedule_teacherstoragequota SET used_bytes = 1, recordings_count = 99`); err != nil {
			return err
		}
		if err := store.FillUsage(ctx, x, now); err != nil {
			return err
		}
		var stale int
		if err := x.One(ctx, `SELECT COUNT(*) FROM public.schedule_teacherstoragequota WHERE recordings_count = 99`, nil, &stale); err != nil || stale != 0 {
			t.Errorf("%d accounts are as wrong as before they were filled, %v", stale, err)
		}
		if _, err := x.Exec(ctx, `UPDATE public.schedule_lessonrecording SET lesson_id = NULL, is_deleted = FALSE WHERE id = 1`); err != nil {
			return err
		}
		teachers, err := store.QuotaTeachers(ctx, x)
		if err != nil || slices.Contains(teachers, 0) || !slices.Contains(teachers, teacher) {
			t.Errorf("teachers %v, %v", teachers, err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
