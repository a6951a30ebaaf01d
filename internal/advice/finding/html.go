package finding

import (
	"bytes"
	_ "embed"
	"html/template"
	"io"
	"time"
)

//go:embed report.html
var pageText string

// WriteHTML writes a report as one page that needs nothing else. Secrets, and
// addresses that are no upstream's, are masked.
func (r *Report) WriteHTML(w io.Writer) error {
	t, err := template.New("report").Funcs(template.FuncMap{"when": when, "sure": Finding.sure, "took": took}).Parse(pageText)
	if err != nil {
		return err
	}
	page := htmlPage{Report: newMask(r).report(r), Made: time.Now().Format("2006-01-02 15:04:05 MST")}
	page.Summary = r.summary()
	page.Chart = newChart(page.Timeline)
	var b bytes.Buffer // nothing is written of a page that fails
	if err := t.Execute(&b, page); err != nil {
		return err
	}
	_, err = w.Write(b.Bytes())
	return err
}

type htmlPage struct {
	*Report
	Made    string
	Summary string
	Chart   *chart
}
