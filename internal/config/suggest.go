package config

import (
	"fmt"
	"strings"

	"github.com/goodgate/goodgate/internal/similar"
)

// didYouMean returns " (did you mean X?)" with the nearest of known, or "" if none is near.
func didYouMean(word string, known []string) string {
	if near := nearest(word, known); near != "" {
		return fmt.Sprintf(" (did you mean %s?)", near)
	}
	return ""
}

// nearest returns the known word with the smallest edit distance, "" if that exceeds a third of the word. In words of
// more than two letters one mistake is always near enough. - for _ and another case count as no mistake, and the start
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
		if d := similar.Distance(fold(word), fold(k)); d < least {
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
