package config

import (
	"os"
	"testing"
)

// BenchmarkParse reads the example, the longest file there is.
func BenchmarkParse(b *testing.B) {
	data, err := os.ReadFile(examplePath)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := Parse("x", data, noEnv); err != nil {
			b.Fatal(err)
		}
	}
}
