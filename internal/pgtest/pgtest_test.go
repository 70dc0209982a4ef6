package pgtest

import (
	"context"
	"net"
	"os"
	"testing"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestDatabasesAreFresh(t *testing.T) {
	first, second := Start(t), Start(t)
	if first == second {
		t.Fatal("the same database twice")
	}
	Exec(t, first, "CREATE TABLE a (id bigint); INSERT INTO a VALUES (1)")
	if err := TryExec(second, "SELECT * FROM a"); err == nil {
		t.Error("one database sees the other's table")
	}
}

func TestLoadTakesCopyBlocks(t *testing.T) {
	url := Start(t)
	Load(t, url, "CREATE TABLE a (id bigint, word text);\n\nCOPY a (id, word) FROM stdin;\n1\täöü\n2\t\\N\n\\.\n\nCREATE UNIQUE INDEX ON a (id);\n")
	Exec(t, url, "DO $$ BEGIN ASSERT (SELECT count(*) = 2 AND count(word) = 1 FROM a); END $$")
	if err := TryExec(url, "INSERT INTO a VALUES (2)"); err == nil {
		t.Error("the statement behind COPY did not run")
	}
}

func TestStopRestartKeepsData(t *testing.T) {
	s := StartServer(t)
	url := s.Database(t)
	Exec(t, url, "CREATE TABLE a (id bigint)")
	s.Stop(t)
	if conn, err := net.Dial("tcp", s.Address()); err == nil {
		conn.Close()
		t.Error("a stopped server still listens")
	}
	s.Restart(t)
	Exec(t, url, "SELECT * FROM a")
}

func TestNothingIsLeft(t *testing.T) {
	var dir string
	t.Run("server", func(t *testing.T) { dir = StartServer(t).dir })
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("the cluster's directory is still there: %v", err)
	}
}

func TestCrashKeepsWhatIsCommitted(t *testing.T) {
	s := StartServer(t)
	url := s.Database(t)
	Exec(t, url, "CREATE TABLE a (id bigint)")
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	tx, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), "INSERT INTO a VALUES (1)"); err != nil {
		t.Fatal(err)
	}
	Exec(t, url, "INSERT INTO a VALUES (2)")
	s.Crash(t)
	if err := tx.Commit(t.Context()); err == nil {
		t.Error("committed in a server that has crashed")
	}
	s.Restart(t)
	Exec(t, url, "DO $$ BEGIN ASSERT (SELECT count(*) = 1 AND min(id) = 2 FROM a); END $$")
}
