package config

import (
	"fmt"
	"strings"
)

// didYouMean returns " (did you mean X?)" with the nearest of known, or "" when none is near.
func didYouMean(word string, known []string) string {
	if near := nearest(word, known); near != "" {
		return fmt.Sprintf(" (did you mean %s?)", near)
	}
	return ""
}

// nearest returns the known word with the smallest edit distance, "" when that is more than a third of the word. One
// mistake is always near enough in words of more than two letters, - for _ or another case is no mistake, and the start
// of a word stands for it.
func nearest(word string, known []string) string {
	if len(word) > 64 || isDigits(word) {
		return ""
	}
	best, least := "", max(1, len(word)/3)+1
	if len(word) <= 2 {
		least = 1
	}
	for _, k := range known {
		if d := distance(fold(word), fold(k)); d < least {
			best, least = k, d
		}
	}
	for _, k := range known {
		if best == "" && len(word) > 2 && (strings.HasPrefix(word, k) || strings.HasPrefix(k, fold(word))) {
			best = k
		}
	}
	return best
}

func fold(s string) string {
	return strings.ReplaceAll(strings.ToLower(s), "-", "_")
}

// distance counts insertions, deletions, substitutions and swaps of neighbours (optimal string alignment).
func distance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
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
