//go:build !minimal

package main

import (
	"bytes"
	"os"
	"testing"

	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/internal/gate"
)

// TestMadeFiles: the files that this program makes are those of this build.
func TestMadeFiles(t *testing.T) {
	for path, made := range map[string]struct {
		text []byte
		flag string
	}{
		"goodgate.schema.json": {config.Schema(), ""},
		"docs/openapi.json":    {gate.OpenAPI(), " --api"},
		"docs/reference.md":    {config.Reference(), " --markdown"},
	} {
		if file, err := os.ReadFile("../../" + path); err != nil || !bytes.Equal(file, made.text) {
			t.Errorf("%s differs (%v): go run ./cmd/goodgate schema%s > %s", path, err, made.flag, path)
		}
	}
}
