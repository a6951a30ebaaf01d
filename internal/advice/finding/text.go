package finding

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/goodgate/goodgate/internal/printable"
)

// TextOptions configure the text form of a report.
type TextOptions struct {
	Color bool // use ANSI colours
	Steps bool // include the steps
	Width int  // width of a line; 0 = 100
}

const (
	bold   = "\x1b[1m"
	red    = "\x1b[31m"
	yellow = "\x1b[33m"
	faint  = "\x1b[2m"
	reset  = "\x1b[0m"
)

// WriteText writes a report as text. It makes all texts printable, because they may be
// from an upstream, or from a log that anybody can write to.
func (r *Report) WriteText(w io.Writer, o TextOptions) error {
	if o.Width == 0 {
		o.Width = 100
	}
	t := &text{Writer: bufio.NewWriter(w), o: o}
	if o.Steps {
		t.steps(r.Steps)
	}
	for i, f := range r.Findings {
		t.finding(i+1, f.printable())
	}
	for _, u := range r.Unknown {
		printable.Fprintln(t, "not known:", u)
	}
	if len(r.Unknown) > 0 {
		fmt.Fprintln(t)
	}
	fmt.Fprintln(t, r.summary())
	if len(r.Findings) == 0 {
		t.looked(r.Looked)
	}
	return t.Flush()
}

type text struct {
	*bufio.Writer
	o TextOptions
}

func (t *text) colored(color, s string) string {
	if !t.o.Color {
		return s
	}
	return color + s + reset
}

func (t *text) steps(steps []Step) {
	subject := ""
	for _, s := range steps {
		s.Subject, s.Name, s.Result = printable.Text(s.Subject), printable.Text(s.Name), printable.Text(s.Result)
		if s.Subject != subject {
			subject = s.Subject
			fmt.Fprintln(t, t.colored(bold, subject))
		}
		mark := "  "
		if s.Failed {
			mark = t.colored(red, "! ")
		}
		fmt.Fprintf(t, "%s%-11s %9s  %s\n", mark, s.Name, took(s.Took), s.Result)
	}
	if len(steps) > 0 {
		fmt.Fprintln(t)
	}
}

func took(d time.Duration) string {
	switch {
	case d == 0:
		return ""
	case d < time.Second:
		return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000)
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

// printable returns the finding with only printable text.
func (f Finding) printable() Finding {
	for _, s := range []*string{&f.Code, &f.Upstream, &f.Where, &f.Seen, &f.Means, &f.Because, &f.Do} {
		*s = printable.Text(*s)
	}
	f.Directive = printable.Lines(f.Directive)
	return f
}

func (t *text) finding(n int, f Finding) {
	color := [...]string{faint, yellow, red}[f.Severity]
	title := f.Code
	if f.Upstream != "" {
		title += ", upstream " + f.Upstream
	}
	fmt.Fprintf(t, "%d. %s %s\n", n, t.colored(color, f.Severity.String()+":"), t.colored(bold, title))
	t.paragraph("where", f.Where)
	t.paragraph("seen", f.Seen+when(f))
	t.paragraph("means", f.Means+" ("+f.sure()+")")
	t.paragraph("do", f.Do)
	for line := range strings.Lines(f.Directive) {
		fmt.Fprintf(t, "              %s\n", t.colored(bold, strings.TrimRight(line, "\n")))
	}
	if f.Reason != 0 {
		t.paragraph("reason", f.Reason.String())
	}
	fmt.Fprintln(t)
}

// sure returns the confidence of a finding with its reason.
func (f Finding) sure() string {
	if f.Because == "" {
		return f.Confidence.String()
	}
	return f.Confidence.String() + ": " + f.Because
}

// when returns how often a failure is in a log, and since when.
func when(f Finding) string {
	const layout = "2006-01-02 15:04:05"
	switch {
	case f.Count == 0:
		return ""
	case f.First.IsZero() && f.Count == 1:
		return " (once)"
	case f.First.IsZero():
		return fmt.Sprintf(" (%d times)", f.Count)
	case f.Count == 1:
		return fmt.Sprintf(" (once, at %s)", f.First.Format(layout))
	case f.Last.Sub(f.First) < time.Second:
		return fmt.Sprintf(" (%d times, at %s)", f.Count, f.First.Format(layout))
	}
	return fmt.Sprintf(" (%d times, from %s to %s)", f.Count, f.First.Format(layout), f.Last.Format(layout))
}

// maxLooked bounds the number of examined subjects in the text.
const maxLooked = 20

// looked writes the examined subjects, for a report without findings.
func (t *text) looked(list []string) {
	if len(list) == 0 {
		return
	}
	more := ""
	if n := len(list) - maxLooked; n > 0 {
		list, more = list[:maxLooked], fmt.Sprintf(", and %d more", n)
	}
	t.paragraph("looked", "at "+printable.Text(strings.Join(list, ", ")+more))
}

// paragraph writes a labelled text, wrapped at the width.
func (t *text) paragraph(label, s string) {
	if s == "" {
		return
	}
	const indent = 12
	column := indent
	fmt.Fprint(t, t.colored(faint, fmt.Sprintf("   %-*s", indent-3, label)))
	for i, word := range strings.Fields(s) {
		if n := len([]rune(word)); i > 0 {
			if column+1+n > t.o.Width {
				fmt.Fprint(t, "\n"+strings.Repeat(" ", indent))
				column = indent
			} else {
				fmt.Fprint(t, " ")
				column++
			}
			column += n
		} else {
			column += n
		}
		fmt.Fprint(t, word)
	}
	fmt.Fprintln(t)
}

func (r *Report) summary() string {
	var n [3]int
	for _, f := range r.Findings {
		n[f.Severity]++
	}
	switch {
	case len(r.Findings) > 0:
	case r.Blind:
		return "nothing was examined"
	default:
		return "nothing found"
	}
	return fmt.Sprintf("errors: %d, warnings: %d, notices: %d", n[Error], n[Warning], n[Notice])
}
