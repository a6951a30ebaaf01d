package gate

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/goodgate/goodgate/internal/admin"
	"github.com/goodgate/goodgate/internal/changes"
)

// pageStore keeps the pages of maintenances, by their hashes: in memory, and in a folder
// beside the state file when there is one.
type pageStore struct {
	dir string // empty = memory only

	mu    sync.Mutex // protects the field below, and the folder
	pages map[string][]byte
}

// pageFile is the prefix of the names of page files.
const pageFile = "page-"

func newPageStore(stateFile string, inherited map[string][]byte) *pageStore {
	s := &pageStore{pages: map[string][]byte{}}
	if stateFile != "" {
		s.dir = filepath.Dir(stateFile)
	}
	for name, page := range inherited {
		if isPageName(name) && len(page) <= admin.MaxPage {
			s.pages[name] = page
		}
	}
	return s
}

// put keeps a page. If it returns an error, the page is still kept in memory.
func (s *pageStore) put(page []byte) error {
	name := admin.PageName(page)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pages[name] = page
	if s.dir == "" {
		return nil
	}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return err
	}
	return writeWhole(filepath.Join(s.dir, pageFile+name), page)
}

// get returns a page, after checking its content against the hash in the name.
func (s *pageStore) get(name string) ([]byte, error) {
	if !isPageName(name) {
		return nil, fmt.Errorf("%q names no page", name)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if page, ok := s.pages[name]; ok {
		return page, nil
	}
	if s.dir == "" {
		return nil, fmt.Errorf("page %s is not known", name)
	}
	file := filepath.Join(s.dir, pageFile+name)
	info, err := os.Stat(file)
	if err == nil && info.Size() > admin.MaxPage {
		err = fmt.Errorf("%s has %d bytes, the limit is %d", file, info.Size(), admin.MaxPage)
	}
	if err != nil {
		return nil, err
	}
	page, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	if sum := sha256.Sum256(page); hex.EncodeToString(sum[:]) != name {
		return nil, fmt.Errorf("%s was changed: its hash differs", file)
	}
	s.pages[name] = page
	return page, nil
}

// keep drops the pages that no change names.
func (s *pageStore) keep(list []changes.Change) {
	used := map[string]bool{}
	for _, c := range list {
		var terms admin.MaintenanceTerms
		if c.Kind == changes.Maintenance && json.Unmarshal(c.Value, &terms) == nil {
			used[terms.Page] = true
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for name := range s.pages {
		if !used[name] {
			delete(s.pages, name)
		}
	}
	if s.dir == "" {
		return
	}
	files, _ := os.ReadDir(s.dir)
	for _, f := range files {
		if name, ok := strings.CutPrefix(f.Name(), pageFile); ok && isPageName(name) && !used[name] {
			os.Remove(filepath.Join(s.dir, f.Name()))
		}
	}
}

// all returns the pages, for the next process.
func (s *pageStore) all() map[string][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make(map[string][]byte, len(s.pages))
	maps.Copy(list, s.pages)
	return list
}

// writeWhole writes a file atomically, with access for its owner only.
func writeWhole(name string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".new-*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if failed := f.Close(); err == nil {
		err = failed
	}
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}
