package gate

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	// watchQuiet is how long the file's folder must rest before the file is read,
	// so that an editor that writes in several steps is done.
	watchQuiet = 300 * time.Millisecond
	// watchEvery is between looks when nothing tells of changes: on network file
	// systems, or behind a symlink into another folder.
	watchEvery = 10 * time.Second
)

// Watch calls [Gate.Reread] when the content of a file changes, until ctx ends.
// It watches the folder: a file replaced by renaming, or by swapping a symlink
// as Kubernetes does for a ConfigMap, is another file.
func (g *Gate) Watch(ctx context.Context, file string) {
	var events chan fsnotify.Event
	w, err := fsnotify.NewWatcher()
	if err == nil {
		defer w.Close()
		events = w.Events
		err = w.Add(filepath.Dir(file))
	}
	if err != nil {
		g.log.Warn("the configuration file is looked at from time to time, since changes of its folder are not told",
			"every", watchEvery.String(), "error", err.Error())
	}
	content, _ := os.ReadFile(file)
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	quiet := time.NewTimer(watchQuiet)
	defer quiet.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-events:
			quiet.Reset(watchQuiet)
			continue
		case <-quiet.C:
		case <-ticker.C:
		}
		now, err := os.ReadFile(file)
		if err == nil && !bytes.Equal(now, content) {
			content = now
			g.Reread("file changed")
		}
	}
}
