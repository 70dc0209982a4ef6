package meter

import (
	"os"
	"os/exec"
	"testing"
	"time"
)

func TestCountsAProcessAndItsChildren(t *testing.T) {
	cmd := exec.Command("sh", "-c", "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; cat >/dev/null & wait; read line")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { in.Close(); cmd.Wait() }()
	mine, err := NewTree(os.Getpid()).Usage()
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := NewTree(cmd.Process.Pid).Usage()
	if err != nil {
		t.Fatal(err)
	}
	if theirs.RSS <= 0 || mine.RSS <= theirs.RSS {
		t.Errorf("a child of %d bytes in a tree of %d", theirs.RSS, mine.RSS)
	}
	if none, err := NewTree(1 << 30).Usage(); err != nil || none != (Usage{}) {
		t.Errorf("nobody uses %+v, %v", none, err)
	}
}

func TestParseStat(t *testing.T) {
	s, err := parseStat([]byte("42 (a) b) S 7 1 1 0 -1 4194560 1 0 0 0 11 22 0 0 20 0 1 0 5 4096 33 18446744073709551615"))
	if err != nil || s != (processStat{parent: 7, ticks: 33, pages: 33}) {
		t.Errorf("%+v, %v", s, err)
	}
	if _, err := parseStat([]byte("42 (x) S 7")); err == nil {
		t.Error("half a line is understood")
	}
}

func TestSocketMemory(t *testing.T) {
	if n, err := SocketMemory(); err != nil || n < 0 {
		t.Error(n, err)
	}
}

func TestParseMachine(t *testing.T) {
	m, err := parseMachine("cpu  100 10 200 4000 50 0 25 15 7 3\ncpu0 1 2 3 4 5 6 7 8 9 10\n")
	if err != nil || m != (Machine{All: 44 * time.Second, Idle: 40*time.Second + 500*time.Millisecond}) {
		t.Errorf("%+v, %v", m, err)
	}
	if _, err := parseMachine("cpu 1 2 3"); err == nil {
		t.Error("half a line is understood")
	}
	if m, err := MachineTime(); err != nil || m.All <= m.Idle {
		t.Errorf("%+v, %v", m, err)
	}
}

func TestWritten(t *testing.T) {
	if n, err := parseWritten("rchar: 1\nwchar: 2\nread_bytes: 3\nwrite_bytes: 4096\ncancelled_write_bytes: 5\n"); err != nil || n != 4096 {
		t.Error(n, err)
	}
	if _, err := parseWritten("wchar: 2\n"); err == nil {
		t.Error("nothing is understood")
	}
	if _, err := NewTree(os.Getpid()).Written(); err != nil {
		t.Error(err)
	}
}
