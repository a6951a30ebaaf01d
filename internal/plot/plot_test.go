package plot

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
)

func TestTicks(t *testing.T) {
	for _, tc := range []struct {
		scale scale
		want  []float64
	}{
		{scale{low: 0, high: 10}, []float64{0, 2, 4, 6, 8, 10}},
		{scale{low: 0, high: 1}, []float64{0, 0.2, 0.4, 0.6000000000000001, 0.8, 1}},
		{scale{low: 3, high: 250}, []float64{50, 100, 150, 200, 250}},
		{scale{low: 1, high: 1000, log: true}, []float64{1, 10, 100, 1000}},
	} {
		if got := tc.scale.ticks(); !slices.Equal(got, tc.want) {
			t.Errorf("%+v: got %v, want %v", tc.scale, got, tc.want)
		}
	}
}

// TestSVG checks that every drawing is well-formed, and that all of it is within the
// frame.
func TestSVG(t *testing.T) {
	for name, c := range map[string]Chart{
		"empty":     {Title: "<none>"},
		"one point": {Lines: []Line{{"a", [][2]float64{{1, 1}}}}},
		"odd":       {LogY: true, Lines: []Line{{`"&<`, [][2]float64{{0, 0}, {1, math.NaN()}, {2, math.Inf(1)}, {3, 7}}}, {"b", nil}}},
	} {
		svg := c.SVG()
		for d := xml.NewDecoder(strings.NewReader(svg)); ; {
			_, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v in %s", name, err, svg)
			}
		}
		if strings.Contains(svg, "NaN") || strings.Contains(svg, "Inf") {
			t.Errorf("%s: a value that is no number was drawn: %s", name, svg)
		}
	}
}
