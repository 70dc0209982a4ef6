package cache

import "testing"

// FuzzNames: a name on the disk is a chunk's or a folder's in one spelling only, so that no
// two files are the same chunk.
func FuzzNames(f *testing.F) {
	for _, seed := range []string{"0000002a.chunk", "2a.chunk", "0000002A.chunk", "100000000.chunk", "-0000001.chunk", "+000002a.chunk", "0000_02a.chunk", "0000002a.chunk.tmp", objectKey{1, 2}.folderName(), "../.."} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if index, ok := indexOfName(name); ok && (index < 0 || index > maxIndex || chunkName(index) != name) {
			t.Errorf("%q is chunk %d", name, index)
		}
		if key, ok := keyOfFolder(name); ok && key.folderName() != name {
			t.Errorf("%q is the folder %s", name, key.folderName())
		}
	})
}
