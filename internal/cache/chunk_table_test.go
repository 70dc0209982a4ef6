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
				table.set(i, e.id, e.available)
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
		for i := range model {
			table.set(i, 0, false)
		}
		if table.root != nil || table.levels != 0 {
			rt.Fatal("an empty table keeps nodes")
		}
	})
}
