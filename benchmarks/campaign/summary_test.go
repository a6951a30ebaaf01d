package main

import (
	"strings"
	"testing"
	"time"
)

func TestSummary(t *testing.T) {
	t.Parallel()
	var got strings.Builder
	printSummary(&got, []*outcome{
		{Of: "a", Pool: 1, JudgedMax: millis(3 * time.Millisecond), Max: millis(time.Minute), Failed: 3},
		{Of: "a", Pool: 2, JudgedMax: millis(4 * time.Millisecond)},
		{Of: "a", Pool: 2, JudgedMax: millis(7 * time.Millisecond)},
		{Of: "b", Pool: 2, JudgedMax: millis(2 * time.Second), Missed: []string{"max"}, JudgedFailed: 1, Again: 2, Duplicated: 1},
		{Of: "b", Pool: 2, Skipped: "no network"},
		{Of: "b", Pool: 5, Skipped: "no network"},
	})
	const want = `
| case | 1 | 2 | 5 |
|---|---|---|---|
| ` + "`a`" + ` | 3 | 7 | not run |
| ` + "`b`" + ` | not run | **2000, 1 failed, 3 twice, 1 skipped; 1 of 2 missed** | skipped |
`
	if got.String() != want {
		t.Errorf("got:\n%s\nwant:\n%s", got.String(), want)
	}
}
