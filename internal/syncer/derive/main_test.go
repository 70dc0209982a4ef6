package derive_test

import (
	"testing"

	"github.com/lectiospace/lectern/internal/syncer/syncertest"
)

func TestMain(m *testing.M) { syncertest.Main(m) }
