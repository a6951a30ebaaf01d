// Package plot draws sparklines for terminals, and line charts as SVG. The SVG is part of a page,
// and takes its text and grid colours from it. (gonum.org/v1/plot would add 7 MB of fonts to the
// program.)
package plot

import (
	"fmt"
	"html"
	"math"
	"strconv"
	"strings"
)

// Chart is a line chart. It leaves out points that a scale cannot show.
type Chart struct {
	Title, X, Y string
	LogY        bool
	TicksX      []Tick // nil = round values
	Lines       []Line
}

// Tick is a label on the x axis.
type Tick struct {
	At   float64
	Text string
}

// Line is a named list of points, each with x and y.
type Line struct {
	Name   string
	Points [][2]float64
}

// Sizes of the drawing, in SVG units.
const (
	width, height             = 900, 320
	left, right, top, bottom  = 64, 16, 34, 44
	innerWidth, innerHeight   = width - left - right, height - top - bottom
	ticksWanted               = 6
	legendStep, legendPerLine = 150, 5
)

// colour returns the colour of line i. Colour-blind people can distinguish them too (Okabe and Ito,
// "Color Universal Design", 2008).
func colour(i int) string {
	list := [...]string{"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"}
	return list[i%len(list)]
}

// SVG renders the chart.
func (c *Chart) SVG() string {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg viewBox="0 0 %d %d" role="img" aria-label="%s" font-family="system-ui,sans-serif" font-size="12" fill="currentColor">`, width, height, html.EscapeString(c.Title))
	fmt.Fprintf(&b, `<text x="%d" y="14" font-weight="600">%s</text>`, left, html.EscapeString(c.Title))
	x, y := c.scales()
	for _, tick := range c.ticksX(x) {
		px := left + x.place(tick.At)*innerWidth
		fmt.Fprintf(&b, `<path d="M%.1f %d V%d" stroke="currentColor" stroke-opacity=".15"/><text x="%.1f" y="%d" text-anchor="middle">%s</text>`, px, top, height-bottom, px, height-bottom+16, html.EscapeString(tick.Text))
	}
	for _, v := range y.ticks() {
		py := top + (1-y.place(v))*innerHeight
		fmt.Fprintf(&b, `<path d="M%d %.1f H%d" stroke="currentColor" stroke-opacity=".15"/><text x="%d" y="%.1f" text-anchor="end">%s</text>`, left, py, width-right, left-6, py+4, number(v))
	}
	fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="middle">%s</text>`, left+innerWidth/2, height-8, html.EscapeString(c.X))
	fmt.Fprintf(&b, `<text transform="translate(14 %d) rotate(-90)" text-anchor="middle">%s</text>`, top+innerHeight/2, html.EscapeString(c.Y))
	for i, l := range c.Lines {
		c.line(&b, i, l, x, y)
	}
	b.WriteString("</svg>")
	return b.String()
}

func (c *Chart) line(b *strings.Builder, i int, l Line, x, y scale) {
	var path strings.Builder
	for _, p := range l.Points {
		if !y.shows(p[1]) {
			continue
		}
		verb := " L"
		if path.Len() == 0 {
			verb = "M"
		}
		fmt.Fprintf(&path, "%s%.1f %.1f", verb, left+x.place(p[0])*innerWidth, top+(1-y.place(p[1]))*innerHeight)
	}
	fmt.Fprintf(b, `<path d="%s" fill="none" stroke="%s" stroke-width="2" stroke-linejoin="round"/>`, path.String(), colour(i))
	if len(c.Lines) > 1 {
		lx := width - right - legendStep*(min(len(c.Lines), legendPerLine)-i%legendPerLine)
		fmt.Fprintf(b, `<path d="M%d 20 h16" stroke="%s" stroke-width="3"/><text x="%d" y="24">%s</text>`, lx, colour(i), lx+20, html.EscapeString(l.Name))
	}
}

// ticksX returns the ticks within the range of the x axis.
func (c *Chart) ticksX(x scale) (list []Tick) {
	const rounding = 1e-9
	for _, t := range c.TicksX {
		if t.At >= x.low-rounding && t.At <= x.high+rounding {
			list = append(list, t)
		}
	}
	if len(c.TicksX) > 0 {
		return list
	}
	for _, v := range x.ticks() {
		list = append(list, Tick{v, number(v)})
	}
	return list
}

// scales fits both axes to the points. A linear y axis begins at zero.
func (c *Chart) scales() (x, y scale) {
	x, y = newScale(), newScale()
	y.log = c.LogY
	if !c.LogY {
		y.low = 0
	}
	for _, l := range c.Lines {
		for _, p := range l.Points {
			if y.shows(p[1]) {
				x.fit(p[0])
				y.fit(p[1])
			}
		}
	}
	return x.closed(), y.closed()
}

// scale maps values to 0..1.
type scale struct {
	low, high float64
	log       bool
}

func newScale() scale { return scale{low: math.Inf(1), high: math.Inf(-1)} }

func (s *scale) shows(v float64) bool {
	return !math.IsNaN(v) && !math.IsInf(v, 0) && (!s.log || v > 0)
}

func (s *scale) fit(v float64) {
	s.low, s.high = min(s.low, v), max(s.high, v)
}

// closed returns s with a non-empty range, also for no points or a single value.
func (s scale) closed() scale {
	switch {
	case math.IsInf(s.low, 0) || math.IsInf(s.high, 0):
		s.low, s.high = 0, 1
		if s.log {
			s.low, s.high = 1, 10
		}
	case s.log:
		s.low = math.Pow(10, math.Floor(math.Log10(s.low)))
		s.high = math.Pow(10, math.Ceil(math.Log10(s.high)))
		if s.low == s.high {
			s.high *= 10
		}
	case s.low == s.high:
		s.high = s.low + 1
	}
	return s
}

func (s scale) place(v float64) float64 {
	if s.log {
		return (math.Log10(v) - math.Log10(s.low)) / (math.Log10(s.high) - math.Log10(s.low))
	}
	return (v - s.low) / (s.high - s.low)
}

// ticks returns round values on the scale: powers of ten, or steps of 1, 2 or 5 times a power of ten.
func (s scale) ticks() (list []float64) {
	if s.log {
		for v := s.low; v <= s.high*1.0001; v *= 10 {
			list = append(list, v)
		}
		return list
	}
	step := math.Pow(10, math.Floor(math.Log10((s.high-s.low)/ticksWanted)))
	for _, m := range []float64{1, 2, 5, 10} {
		if (s.high-s.low)/(m*step) <= ticksWanted {
			step *= m
			break
		}
	}
	for n := math.Ceil(s.low / step); n*step <= s.high*(1+1e-9); n++ {
		list = append(list, n*step)
	}
	return list
}

func number(v float64) string {
	return strconv.FormatFloat(math.Round(v*1e6)/1e6+0, 'g', 6, 64) // + 0 removes the sign of a negative zero
}
