package access

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// A file that cannot be read is reported once. When its permissions are corrected, which
// changes neither its size nor its time, it is read.
func TestUnreadableForAWhile(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root can read every file")
	}
	file := filepath.Join(t.TempDir(), "users")
	write(t, file, "alice:"+hashed(t, "old")+"\n", 1)
	var told []error
	u, err := Open(file, func(err error) { told = append(told, err) })
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	look := func() {
		now = now.Add(2 * lookEvery)
		u.look(now)
	}
	other := file + ".new"
	write(t, other, "bob:"+hashed(t, "b")+"\n", 2)
	if err := os.Chmod(other, 0); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(other, file); err != nil {
		t.Fatal(err)
	}
	look()
	look()
	if len(told) != 1 || told[0] == nil || u.Verify(t.Context(), "alice", "old") != Right {
		t.Errorf("while the file cannot be read: reported %v", told)
	}
	if err := os.Chmod(file, 0o600); err != nil {
		t.Fatal(err)
	}
	look()
	if len(told) != 2 || told[1] != nil || u.Verify(t.Context(), "alice", "old") == Right || u.Verify(t.Context(), "bob", "b") != Right {
		t.Errorf("the file can be read again, and its former users are still known: reported %v", told)
	}
}
