package nginxconf

import (
	"os"
	"path/filepath"
	"strings"
)

// root is the folder in which absolute names begin, such as that of a container's
// files; "" = this machine's own.
type root string

// maxLinks bounds how many symbolic links one name leads through, as the kernel does.
const maxLinks = 40

// path returns where a name leads on this machine. Symbolic links are followed as
// seen from within the root: an absolute one does not lead out of it.
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

// name returns the name that a path of this machine has within the root.
func (r root) name(path string) string {
	if r == "" {
		return path
	}
	if rest, within := strings.CutPrefix(path, strings.TrimSuffix(string(r), "/")+"/"); within {
		return "/" + rest
	}
	return path
}
