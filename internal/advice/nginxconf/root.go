package nginxconf

import (
	"os"
	"path/filepath"
	"strings"
)

// root is the folder that contains the files with absolute names, such as a container's
// root; "" = this machine's.
type root string

// maxLinks bounds the number of symbolic links in one lookup, as the kernel does.
const maxLinks = 40

// path returns the path of a file on this machine. It resolves symbolic links within
// the root, so that an absolute link does not leave it.
func (r root) path(name string) string {
	if r == "" || !filepath.IsAbs(name) {
		return name
	}
	rest := strings.Split(filepath.Clean(name), "/")
	at := "/" // within the root
	for links := 0; len(rest) > 0; {
		next := filepath.Join(at, rest[0])
		rest = rest[1:]
		to, err := os.Readlink(filepath.Join(string(r), next))
		if err != nil || links == maxLinks {
			at = next
			continue
		}
		links++
		if filepath.IsAbs(to) {
			at = "/"
		}
		rest = append(strings.Split(to, "/"), rest...)
	}
	return filepath.Join(string(r), at)
}

// name returns the name within the root for a path of this machine.
func (r root) name(path string) string {
	if r == "" {
		return path
	}
	if rest, within := strings.CutPrefix(path, strings.TrimSuffix(string(r), "/")+"/"); within {
		return "/" + rest
	}
	return path
}
