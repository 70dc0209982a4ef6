package systemdtest

import (
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"reflect"
	"sync"
	"syscall"
	"testing"
	"unsafe"
)

// LockOnSignal locks mu for good when the process gets SIGUSR1, as a goroutine would that
// hangs while it has the lock.
func LockOnSignal(mu sync.Locker) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1)
	go func() { <-signals; mu.Lock() }()
}

// Mutex returns a private mutex of a program's part, so that a test can hold the lock that
// the program really uses. path are the names of the fields from root on; pointers are
// followed. It panics when there is no such mutex, as after a renaming.
func Mutex(root any, path ...string) *sync.Mutex {
	v := reflect.ValueOf(root)
	for _, name := range path {
		for v.Kind() == reflect.Pointer {
			v = v.Elem()
		}
		if v = v.FieldByName(name); !v.IsValid() {
			panic(fmt.Sprintf("%T has no field %q of %q", root, name, path))
		}
	}
	if v.Type() != reflect.TypeFor[sync.Mutex]() {
		panic(fmt.Sprintf("%q of %T is a %s", path, root, v.Type()))
	}
	return (*sync.Mutex)(unsafe.Pointer(v.UnsafeAddr()))
}

// Hang is one way in which a program stops working.
type Hang struct {
	Name string
	// Env makes the program one that this signal makes hang.
	Env    string
	Signal syscall.Signal
	// Answers says that the admin listener still answers.
	Answers bool
	// Terminates says that the restarted program ends with SIGTERM.
	Terminates bool
}

// TestRestart checks that a program's pings come while it is healthy and end when it
// hangs, so that it is killed, and that the next process of it is healthy.
func TestRestart(t *testing.T, hang Hang, env ...string) {
	t.Helper()
	m := NewManager(t, append([]string{hang.Env}, env...)...)
	p := m.Start()
	m.WantPings(3)
	if err := p.Process.Signal(hang.Signal); err != nil {
		t.Fatal(err)
	}
	if hang.Answers {
		if res, err := http.Get("http://" + p.Admin + "/healthz"); err != nil {
			t.Error(err)
		} else {
			res.Body.Close()
			if res.StatusCode != http.StatusOK {
				t.Errorf("/healthz of the hanging program: %s", res.Status)
			}
		}
	}
	m.KillWhenSilent(p)
	again := m.Start()
	m.WantPings(1)
	if hang.Terminates {
		m.Terminate(again)
	} else {
		m.Kill(again)
	}
}
