package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// materials writes the bill of materials, a list of the binary's modules, as CycloneDX.
func (r *release) materials() error {
	for _, t := range onLinux() {
		c := r.command(nil, "go", "tool", "cyclonedx-gomod", "bin", "-json", "-std", "-noserial", "-notimestamp",
			"-version", r.version, "-output", r.to("goodgate-%s-%s.cdx.json", r.version, t), r.binary(t))
		c.Dir = filepath.Join(r.root, "packaging")
		if _, err := output(c); err != nil {
			return err
		}
	}
	return nil
}

// sums writes SHA256SUMS for sha256sum --check.
func (r *release) sums() error {
	entries, err := os.ReadDir(r.out)
	if err != nil {
		return err
	}
	var all strings.Builder
	for _, e := range entries {
		sum, err := sumOf(r.to("%s", e.Name()))
		if err != nil {
			return err
		}
		fmt.Fprintf(&all, "%s  %s\n", sum, e.Name())
	}
	return create(r.to("SHA256SUMS"), func(w io.Writer) error {
		_, err := io.WriteString(w, all.String())
		return err
	})
}

func sumOf(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func readText(name string) (string, error) {
	b, err := os.ReadFile(name)
	return string(b), err
}
