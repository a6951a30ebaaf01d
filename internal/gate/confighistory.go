package gate

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/goodgate/goodgate/internal/admin"
	"github.com/goodgate/goodgate/internal/config"
)

// Bounds of the history of configurations.
const (
	mostVersions     = 50
	mostVersionBytes = 16 << 20 // of all texts; the latest version is always kept
)

// version is a configuration that was in use. It has the unchanged texts of the files:
// with references to the environment and to other files in place of their values, and
// with the secrets written in the files.
type version struct {
	N    int       `json:"n"`
	At   time.Time `json:"at"`
	By   string    `json:"by"`
	Name string    `json:"name"` // of the file
	Text string    `json:"text"`
	More []part    `json:"more,omitempty"` // files that it includes
}

// part is an included file.
type part struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

func newVersion(files []config.File) version {
	v := version{Name: files[0].Name, Text: string(files[0].Text)}
	for _, f := range files[1:] {
		v.More = append(v.More, part{f.Name, string(f.Text)})
	}
	return v
}

// files is the inverse of newVersion.
func (v version) files() []config.File {
	files := []config.File{{Name: v.Name, Text: []byte(v.Text)}}
	for _, p := range v.More {
		files = append(files, config.File{Name: p.Name, Text: []byte(p.Text)})
	}
	return files
}

// same reports whether both versions have the same texts. It ignores the name of the main
// file.
func (v version) same(o version) bool { return v.Text == o.Text && slices.Equal(v.More, o.More) }

// text returns all texts, the main file's first.
func (v version) text() string {
	var all strings.Builder
	all.WriteString(v.Text)
	for _, p := range v.More {
		all.WriteString(p.Name + "\n" + p.Text)
	}
	return all.String()
}

// configHistory keeps the configurations that were in use: in memory, and with mode 0600
// in a folder beside the state file when there is one.
type configHistory struct {
	dir string // empty = memory only
	log *slog.Logger

	mu   sync.Mutex // protects the fields below, and the folder
	list []version  // oldest first
}

// historyDir is the name of the folder.
const historyDir = "config-history"

var versionFile = regexp.MustCompile(`^[0-9]{8}\.json$`)

func openConfigHistory(stateFile string, log *slog.Logger) *configHistory {
	h := &configHistory{log: log}
	if stateFile == "" {
		return h
	}
	h.dir = filepath.Join(filepath.Dir(stateFile), historyDir)
	files, _ := os.ReadDir(h.dir) // the folder may not exist yet
	for _, f := range files {
		if !versionFile.MatchString(f.Name()) {
			continue
		}
		v, err := readVersion(filepath.Join(h.dir, f.Name()))
		if err != nil {
			log.Error("stored version of the configuration is damaged", "file", f.Name(), "error", err.Error())
			continue
		}
		h.list = append(h.list, v)
	}
	slices.SortFunc(h.list, func(a, b version) int { return a.N - b.N })
	return h
}

func readVersion(file string) (v version, err error) {
	info, err := os.Stat(file)
	if err == nil && info.Size() > mostVersionBytes {
		err = fmt.Errorf("%d bytes are too many", info.Size())
	}
	if err != nil {
		return v, err
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return v, err
	}
	if err = json.Unmarshal(data, &v); err == nil && (v.N <= 0 || v.Text == "") {
		err = errors.New("it has no number, or no text")
	}
	return v, err
}

// add records that a configuration is in use, unless it equals the latest version.
func (h *configHistory) add(c *config.Config, by string) {
	if len(c.Source()) == 0 { // made from flags
		return
	}
	v := newVersion(c.Source())
	h.mu.Lock()
	defer h.mu.Unlock()
	n := 1
	if len(h.list) > 0 {
		last := &h.list[len(h.list)-1]
		if last.same(v) {
			return
		}
		n = last.N + 1
	}
	v.N, v.At, v.By = n, time.Now().Round(0).UTC(), by
	h.list = append(h.list, v)
	if err := h.write(v); err != nil {
		h.log.Error("version of the configuration not stored: no rollback to it after a restart", "error", err.Error())
	}
	h.trim()
}

// write writes a version to the folder. mu must be held.
func (h *configHistory) write(v version) error {
	if h.dir == "" {
		return nil
	}
	data, err := json.Marshal(v)
	if err == nil {
		err = os.MkdirAll(h.dir, 0o700)
	}
	if err != nil {
		return err
	}
	return writeWhole(h.file(v.N), data)
}

func (h *configHistory) file(n int) string { return filepath.Join(h.dir, fmt.Sprintf("%08d.json", n)) }

// trim drops the oldest versions beyond the bounds. mu must be held.
func (h *configHistory) trim() {
	size := 0
	for _, v := range h.list {
		size += len(v.text())
	}
	for len(h.list) > 1 && (len(h.list) > mostVersions || size > mostVersionBytes) {
		size -= len(h.list[0].text())
		if h.dir != "" {
			os.Remove(h.file(h.list[0].N))
		}
		h.list = slices.Delete(h.list, 0, 1)
	}
}

// errNoVersion means that the history does not have a version.
var errNoVersion = errors.New("no such version of the configuration is kept")

// get returns version n.
func (h *configHistory) get(n int) (version, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, v := range h.list {
		if v.N == n {
			return v, nil
		}
	}
	return version{}, fmt.Errorf("%w: %d", errNoVersion, n)
}

// ConfigHistory lists the configurations that were in use, the latest first.
func (g *Gate) ConfigHistory() []admin.ConfigVersion {
	var current version
	if files := g.current.Load().config.Source(); len(files) > 0 {
		current = newVersion(files)
	}
	h := g.configs
	h.mu.Lock()
	defer h.mu.Unlock()
	list := make([]admin.ConfigVersion, 0, len(h.list))
	used := false
	for _, v := range slices.Backward(h.list) {
		text := v.text()
		sum := sha256.Sum256([]byte(text))
		in := !used && current.same(v)
		used = used || in
		list = append(list, admin.ConfigVersion{N: v.N, At: v.At, By: v.By, Bytes: len(text), SHA256: hex.EncodeToString(sum[:]), InUse: in})
	}
	return list
}

// parseVersion parses a version of the history, with the present environment.
func (g *Gate) parseVersion(n int) (*config.Config, []config.Warning, error) {
	v, err := g.configs.get(n)
	if err != nil {
		return nil, nil, err
	}
	if g.opts.Parse == nil {
		return nil, nil, errNoFile
	}
	c, warnings, err := g.opts.Parse(v.files())
	if err != nil {
		return nil, nil, fmt.Errorf("version %d: %w", n, err)
	}
	return c, warnings, nil
}

// ConfigVersion returns a version without its secrets; 0 = the configuration in use.
func (g *Gate) ConfigVersion(n int) ([]byte, error) {
	c, err := g.versionOrCurrent(n)
	if err != nil {
		return nil, err
	}
	return config.Dump(c), nil
}

// ConfigDiff returns the differences from version a to version b, in the words that a
// reload logs; 0 = the configuration in use.
func (g *Gate) ConfigDiff(a, b int) ([]string, error) {
	from, err := g.versionOrCurrent(a)
	if err != nil {
		return nil, err
	}
	to, err := g.versionOrCurrent(b)
	if err != nil {
		return nil, err
	}
	return texts(config.Diff(from, to)), nil
}

func (g *Gate) versionOrCurrent(n int) (*config.Config, error) {
	if n == 0 {
		return g.current.Load().config, nil
	}
	c, _, err := g.parseVersion(n)
	return c, err
}

// Rollback puts a version into use again, until the file is loaded the next time. It does
// not write the file.
func (g *Gate) Rollback(n int, by string) ([]config.Change, error) {
	return g.replaceConfig("rollback to version "+strconv.Itoa(n)+" by "+by, n, func() (*config.Config, []config.Warning, error) { return g.parseVersion(n) })
}
