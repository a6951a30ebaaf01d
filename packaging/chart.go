package main

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
)

// chart packs the Helm chart like `helm package`, but with the commit's time. Its
// version must be the release's, so that the chart is the same in the checkout and in the
// release.
func (r *release) chart() error {
	dir := filepath.Join(r.root, "deploy", "helm", "goodgate")
	text, err := readText(filepath.Join(dir, "Chart.yaml"))
	if err != nil {
		return err
	}
	for _, line := range []string{"version: " + r.bare(), `appVersion: "` + r.version + `"`} {
		if !strings.Contains("\n"+text, "\n"+line+"\n") {
			return fmt.Errorf("Chart.yaml has no line %q", line)
		}
	}
	files, err := folder("", dir)
	if err != nil {
		return err
	}
	return create(r.to("goodgate-%s.tgz", r.bare()), func(w io.Writer) error {
		return compress(w, func(w io.Writer) error { return writeTar(w, "goodgate", files, r.time) })
	})
}
