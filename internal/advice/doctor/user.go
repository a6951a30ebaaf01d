package doctor

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
)

// LookUpUserIn finds a user by name in another root folder, such as a container's. With
// root "" it is [LookUpUser].
func LookUpUserIn(root, name string) (*User, error) {
	if root == "" {
		return LookUpUser(name)
	}
	found := &User{Name: name}
	err := eachEntry(filepath.Join(root, "etc/passwd"), func(f []string) {
		if f[0] == name && len(f) > 3 {
			found.UID, found.Groups = id(f[2]), []uint32{id(f[3])}
		}
	})
	if err == nil && found.Groups == nil {
		err = fmt.Errorf("user %s is not in %s", name, filepath.Join(root, "etc/passwd"))
	}
	if err != nil {
		return nil, err
	}
	return found, eachEntry(filepath.Join(root, "etc/group"), func(f []string) {
		if len(f) > 3 && strings.Contains(","+f[3]+",", ","+name+",") {
			found.Groups = append(found.Groups, id(f[2]))
		}
	})
}

// eachEntry calls f for each line of a file in the form of /etc/passwd.
func eachEntry(file string, f func(fields []string)) error {
	in, err := os.Open(file)
	if err != nil {
		return err
	}
	defer in.Close()
	s := bufio.NewScanner(in)
	for s.Scan() {
		f(strings.Split(s.Text(), ":"))
	}
	return s.Err()
}

func id(text string) uint32 {
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		return ^uint32(0) // no user has this id
	}
	return uint32(n)
}

// LookUpUser finds a user of this machine by name.
func LookUpUser(name string) (*User, error) {
	u, err := user.Lookup(name)
	if _, ok := errors.AsType[user.UnknownUserError](err); ok {
		return nil, fmt.Errorf("there is no user %q on this machine", name)
	}
	if err != nil {
		return nil, fmt.Errorf("user %s: %w", name, err)
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("user %s: id %q: %w", name, u.Uid, err)
	}
	found := &User{Name: name, UID: uint32(uid)}
	groups, err := u.GroupIds()
	if err != nil {
		groups = []string{u.Gid}
	}
	for _, g := range groups {
		if gid, err := strconv.ParseUint(g, 10, 32); err == nil {
			found.Groups = append(found.Groups, uint32(gid))
		}
	}
	return found, nil
}
