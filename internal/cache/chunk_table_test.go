package cache

import (
	"testing"

	"pgregory.net/rapid"
)

// TestChunkTableModel compares the table with a map, and bounds the nodes that each
// query visits.
func TestChunkTableModel(t *testing.T) {
	type entry struct {
		id        chunkID
		available bool
	}
	rapid.Check(t, func(rt *rapid.T) {
		visits := uint64(0)
		table, model := chunkTable{visits: &visits}, map[int64]entry{}
		near := rapid.Int64Range(0, 200)
		anywhere := rapid.OneOf(near, rapid.Int64Range(4000, 4200), rapid.Int64Range(0, maxIndex))
		for range rapid.IntRange(1, 300).Draw(rt, "steps") {
			index := anywhere.Draw(rt, "index")
			run := int64(1)
			if rapid.IntRange(0, 9).Draw(rt, "is a run") == 0 {
				run = rapid.Int64Range(1, 300).Draw(rt, "run")
			}
			e := entry{available: rapid.Bool().Draw(rt, "available")}
			if e.available && rapid.Bool().Draw(rt, "committed") {
				e.id = chunkID(rapid.Uint32Range(1, 1000).Draw(rt, "id"))
			}
			for i := index; i < min(index+run, maxIndex+1); i++ {
				levels := table.levels
				table.set(i, e.id, e.available)
				if !e.available && table.levels > levels {
					rt.Fatalf("the table has grown from %d to %d levels for what is not available", levels, table.levels)
				}
				if model[i] = e; !e.available {
					delete(model, i)
				}
			}
			from := anywhere.Draw(rt, "from")
			end := min(maxIndex+1, from+rapid.Int64Range(0, 400).Draw(rt, "length"))
			available, missing := end, end
			for i := end - 1; i >= from; i-- {
				if model[i].available {
					available = i
				} else {
					missing = i
				}
			}
			before := visits
			if got := table.get(from); got != model[from].id {
				rt.Fatalf("chunk %d has the ID %d, want %d", from, got, model[from].id)
			}
			if got := table.nextAvailable(from, end); got != available {
				rt.Fatalf("the next available in [%d, %d) is %d, want %d", from, end, got, available)
			}
			if got := table.nextMissing(from, end); got != missing {
				rt.Fatalf("the next missing in [%d, %d) is %d, want %d", from, end, got, missing)
			}
			if most := uint64(5 * table.levels); visits-before > most {
				rt.Fatalf("%d nodes were visited, want at most %d", visits-before, most)
			}
		}
		if table.root != nil {
			noEmptyNode(rt, table.root)
		}
		for i := range model {
			table.set(i, 0, false)
		}
		if table.root != nil || table.levels != 0 {
			rt.Fatal("an empty table keeps nodes")
		}
	})
}

// noEmptyNode fails for a node below n under which nothing is available: it would stay for good.
func noEmptyNode(rt *rapid.T, n *tableNode) {
	if n.children == nil {
		return
	}
	for slot, child := range n.children {
		if child == nil {
			continue
		}
		if child.some == 0 {
			rt.Fatalf("an empty node is kept in slot %d", slot)
		}
		noEmptyNode(rt, child)
	}
}

// TestFullTable: a table whose every slot is available has no missing chunk within it.
func TestFullTable(t *testing.T) {
	for _, full := range []int64{tableFan, tableFan * tableFan} {
		table := chunkTable{visits: new(uint64)}
		for i := range full {
			table.set(i, chunkID(i+1), true)
		}
		for _, test := range []struct{ from, end, missing, available int64 }{
			{0, full + 9, full, 0}, {full - 1, full + 9, full, full - 1}, {0, full - 1, full - 1, 0}, {full, full + 9, full, full + 9}, {full + 3, full + 9, full + 3, full + 9},
		} {
			if got := table.nextMissing(test.from, test.end); got != test.missing {
				t.Errorf("%d chunks: the next missing in [%d, %d) is %d, want %d", full, test.from, test.end, got, test.missing)
			}
			if got := table.nextAvailable(test.from, test.end); got != test.available {
				t.Errorf("%d chunks: the next available in [%d, %d) is %d, want %d", full, test.from, test.end, got, test.available)
			}
		}
	}
}
