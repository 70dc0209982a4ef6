package config

import "strings"

// sections are the mappings a configuration file may hold, as paths.
var sections = map[string]bool{
	"auth": true, "limit": true, "cache": true, "zoom": true, "sync": true, "log": true, "alert": true, "cors": true,
	"origin": true, "origin-local": true, "origin-drive": true, "origin-s3": true, "origin-azure": true,
}

// known holds the names of all settings, and whether each is a secret.
type known map[string]bool

// nearest is the setting with the name most like a misspelt one, or "".
func (k known) nearest(name string) string {
	best, distance := "", 4
	for candidate := range k {
		if d := editDistance(name, candidate); d < distance || d == distance && candidate < best {
			best, distance = candidate, d
		}
	}
	return best
}

// editDistance counts the letters to add, drop or change (Levenshtein).
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// flagToEnv is a setting's name in the environment.
func flagToEnv(name string) string {
	return "LECTERN_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
}

// envToFlag reads flagToEnv back.
func envToFlag(env string) string {
	return strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(env, "LECTERN_"), "_", "-"))
}

// flagToPath is a setting's path in a file: its sections, then its key.
func flagToPath(name string) []string {
	var path []string
	prefix := ""
	rest := name
	for {
		head, tail, ok := strings.Cut(rest, "-")
		if !ok || !sections[prefix+head] {
			return append(path, strings.ReplaceAll(rest, "-", "_"))
		}
		path = append(path, head)
		prefix += head + "-"
		rest = tail
	}
}
