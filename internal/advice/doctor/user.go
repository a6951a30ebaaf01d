package doctor

import (
	"fmt"
	"os/user"
	"strconv"
)

// LookUpUser finds a user of this machine by name.
func LookUpUser(name string) (*User, error) {
	u, err := user.Lookup(name)
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
