package webroot

import "golang.org/x/sys/unix"

// openDirectory opens a directory without following a link. O_PATH asks for no right to read it, so that a document root
// below a directory of mode 0711 is reached by a process that is not root, too.
const openDirectory = unix.O_PATH | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC
