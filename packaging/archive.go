package main

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"time"
)

// file is a file in an archive.
type file struct {
	name  string
	path  string // of its content; a folder has none
	mode  fs.FileMode
	owner int // user and group id
}

// folder returns all files below a folder, sorted by name.
func folder(name, dir string) (files []file, err error) {
	err = filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		inside, err := filepath.Rel(dir, p)
		files = append(files, file{name: path.Join(name, filepath.ToSlash(inside)), path: p, mode: 0o644})
		return err
	})
	return files, err
}

// create writes a file. It returns the error of write or of closing.
func create(name string, write func(io.Writer) error) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}

// writeTarGz writes an archive with the files in its folder top.
func writeTarGz(name, top string, files []file, at time.Time) error {
	return create(name, func(w io.Writer) error {
		return compress(w, func(w io.Writer) error { return writeTar(w, top, files, at) })
	})
}

// compress writes the output of write as gzip, without a name or a time.
func compress(w io.Writer, write func(io.Writer) error) error {
	z, err := gzip.NewWriterLevel(w, gzip.BestCompression)
	if err != nil {
		return err
	}
	return errors.Join(write(z), z.Close())
}

func writeTar(w io.Writer, top string, files []file, at time.Time) error {
	t := tar.NewWriter(w)
	for _, f := range files {
		h := &tar.Header{
			Typeflag: tar.TypeReg, Name: path.Join(top, f.name), Mode: int64(f.mode.Perm()), Uid: f.owner, Gid: f.owner,
			ModTime: at, Format: tar.FormatUSTAR,
		}
		var content []byte
		var err error
		if f.mode.IsDir() {
			h.Typeflag, h.Name = tar.TypeDir, h.Name+"/"
		} else if content, err = os.ReadFile(f.path); err != nil {
			return err
		}
		if f.mode&fs.ModeSticky != 0 {
			h.Mode |= 0o1000
		}
		h.Size = int64(len(content))
		if err := t.WriteHeader(h); err != nil {
			return err
		}
		if _, err := t.Write(content); err != nil {
			return err
		}
	}
	return t.Close()
}

func writeZip(name, top string, files []file, at time.Time) error {
	return create(name, func(w io.Writer) error {
		z := zip.NewWriter(w)
		for _, f := range files {
			content, err := os.ReadFile(f.path)
			if err != nil {
				return err
			}
			h := &zip.FileHeader{Name: path.Join(top, f.name), Method: zip.Deflate, Modified: at}
			h.SetMode(f.mode)
			w, err := z.CreateHeader(h)
			if err != nil {
				return err
			}
			if _, err := w.Write(content); err != nil {
				return err
			}
		}
		return z.Close()
	})
}
