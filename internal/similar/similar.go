// Package similar finds the intended word for a mistyped one.
package similar

import "strings"

// Nearest returns the known word that a mistyped one most likely means, "" if none is
// similar. One word is the beginning of the other, or the two differ in the fewest
// letters. It ignores case, and compares only the first 64 bytes.
func Nearest(word string, known []string) string {
	best, least := "", max(1, min(len(word), 32)/3)+1
	for _, k := range known {
		switch d := Distance(strings.ToLower(word), strings.ToLower(k)); {
		case d < least:
			best, least = k, d
		case best == "" && len(word) > 2 && (strings.HasPrefix(k, word) || strings.HasPrefix(word, k)):
			best = k
		}
	}
	return best
}

// Distance returns the number of insertions, deletions, substitutions and swaps of
// neighbours between two words (optimal string alignment). It compares the first 64
// bytes of each.
func Distance(a, b string) int {
	a, b = a[:min(len(a), 64)], b[:min(len(b), 64)]
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
