package main

import (
	"bytes"
	"os"
	"testing"

	"github.com/goodgate/goodgate/internal/gate"
)

// TestOpenAPIFile: the description of the API in the documentation is that of this
// build.
func TestOpenAPIFile(t *testing.T) {
	const path = "../../docs/openapi.json"
	if file, err := os.ReadFile(path); err != nil || !bytes.Equal(file, gate.OpenAPI()) {
		t.Errorf("%s differs (%v): go run ./cmd/goodgate schema --api > docs/openapi.json", path, err)
	}
}
