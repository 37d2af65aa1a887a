// A library to preload (LD_PRELOAD) that makes one write of a program fail, for tools/check-reliability.
//
//   PAWL_FAULT_ROOT   only files below this directory are looked at
//   PAWL_FAULT        what to do, and at which changing call (from 1) or after how many bytes:
//     count           nothing
//     eio:K           call K fails with EIO
//     torn:K:P        call K, when it writes, writes P percent of its bytes; then the process is killed, as in a power
//                     cut; another call is not made at all before the kill
//     short:K:P       call K, when it writes, writes P percent of its bytes (at least one) and says so
//     fsync:K         the K-th fsync or fdatasync fails with EIO, and counts no other calls
//     enospc:N        writes past N bytes in all fail with ENOSPC; new directories and names too
//   PAWL_FAULT_LOG    a file that gets one line: "CALL PATH" for what was hit; for count "CALLS SYNCS BYTES" at the end
//
// Changing calls are those that Pawl and SQLite make: write, pwrite, fsync, fdatasync, ftruncate, rename, mkdir,
// unlink, and open with O_CREAT. SQLite's shared memory (a mapped file) is made by them as well.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

enum mode { off, count, eio, torn, shortened, failing_sync, no_space };

static enum mode mode;
static long target, percent;
static long calls, syncs, bytes;
static char root[PATH_MAX], log_path[PATH_MAX];
static size_t root_length;
static pthread_once_t once = PTHREAD_ONCE_INIT;

#define REAL(name) (*real_##name)
static ssize_t REAL(write)(int, const void *, size_t);
static ssize_t REAL(pwrite64)(int, const void *, size_t, off_t);
static int REAL(fsync)(int);
static int REAL(fdatasync)(int);
static int REAL(ftruncate64)(int, off_t);
static int REAL(rename)(const char *, const char *);
static int REAL(mkdir)(const char *, mode_t);
static int REAL(unlink)(const char *);
static int REAL(open64)(const char *, int, ...);

static void note(const char *text, const char *path) {
    if (!log_path[0]) return;
    int file = real_open64(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (file < 0) return;
    char line[PATH_MAX + 64];
    int length = snprintf(line, sizeof line, "%s %s\n", text, path);
    if (length > 0) (void)!real_write(file, line, (size_t)length);
    close(file);
}

static void start(void) {
#define FIND(name) real_##name = dlsym(RTLD_NEXT, #name)
    FIND(write);
    FIND(pwrite64);
    FIND(fsync);
    FIND(fdatasync);
    FIND(ftruncate64);
    FIND(rename);
    FIND(mkdir);
    FIND(unlink);
    FIND(open64);
    const char *fault = getenv("PAWL_FAULT"), *where = getenv("PAWL_FAULT_ROOT"), *log = getenv("PAWL_FAULT_LOG");
    if (!fault || !where) return;
    if (strlen(where) >= sizeof root || (log && strlen(log) >= sizeof log_path)) return;
    strcpy(root, where);
    root_length = strlen(root);
    if (log) strcpy(log_path, log);
    if (!strcmp(fault, "count")) mode = count;
    else if (sscanf(fault, "eio:%ld", &target) == 1) mode = eio;
    else if (sscanf(fault, "torn:%ld:%ld", &target, &percent) == 2) mode = torn;
    else if (sscanf(fault, "short:%ld:%ld", &target, &percent) == 2) mode = shortened;
    else if (sscanf(fault, "fsync:%ld", &target) == 1) mode = failing_sync;
    else if (sscanf(fault, "enospc:%ld", &target) == 1) mode = no_space;
}

static int ours(const char *path) {
    pthread_once(&once, start);
    return mode != off && path && !strncmp(path, root, root_length);
}

static int named(int file, char path[PATH_MAX]) {
    pthread_once(&once, start);
    if (mode == off) return 0;
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    return ours(path);
}

__attribute__((destructor)) static void report(void) {
    if (mode != count) return;
    char line[128];
    snprintf(line, sizeof line, "%ld %ld", __atomic_load_n(&calls, __ATOMIC_SEQ_CST), __atomic_load_n(&syncs, __ATOMIC_SEQ_CST));
    char rest[32];
    snprintf(rest, sizeof rest, "%ld", __atomic_load_n(&bytes, __ATOMIC_SEQ_CST));
    note(line, rest);
}

static void die(void) {
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

// True when this call is the one that is hit; a torn call that writes nothing kills at once.
static int hit(const char *name, const char *path) {
    long number = __atomic_add_fetch(&calls, 1, __ATOMIC_SEQ_CST);
    if ((mode != eio && mode != torn && mode != shortened) || number != target) return 0;
    note(name, path);
    return 1;
}

// What a call that writes no bytes does: 0 to go on, -1 with errno to fail.
static int plain(const char *name, const char *path, int takes_room) {
    if (mode == no_space && takes_room && __atomic_load_n(&bytes, __ATOMIC_SEQ_CST) >= target) {
        errno = ENOSPC;
        return -1;
    }
    if (!hit(name, path)) return 0;
    if (mode == torn) die();
    if (mode == shortened) return 0;
    errno = EIO;
    return -1;
}

static ssize_t put(int file, const void *from, size_t size, off_t offset, int at) {
    return at ? real_pwrite64(file, from, size, offset) : real_write(file, from, size);
}

static ssize_t written(int file, const void *from, size_t size, off_t offset, int at) {
    char path[PATH_MAX];
    if (!named(file, path) || !size) return put(file, from, size, offset, at);
    long before = __atomic_fetch_add(&bytes, (long)size, __ATOMIC_SEQ_CST);
    if (mode == no_space && before + (long)size > target) {
        if (before >= target) {
            errno = ENOSPC;
            return -1;
        }
        note("enospc", path);
        return put(file, from, (size_t)(target - before), offset, at);
    }
    if (!hit(at ? "pwrite" : "write", path)) return put(file, from, size, offset, at);
    size_t part = size * (size_t)percent / 100;
    if (mode == torn) {
        if (part) (void)!put(file, from, part, offset, at);
        die();
    }
    if (mode == shortened) return put(file, from, part ? part : 1, offset, at);
    errno = EIO;
    return -1;
}

ssize_t write(int file, const void *from, size_t size) { return written(file, from, size, 0, 0); }
ssize_t pwrite64(int file, const void *from, size_t size, off_t offset) { return written(file, from, size, offset, 1); }
ssize_t pwrite(int file, const void *from, size_t size, off_t offset) { return written(file, from, size, offset, 1); }

static int synced(int file, int data) {
    char path[PATH_MAX];
    if (named(file, path)) {
        long number = __atomic_add_fetch(&syncs, 1, __ATOMIC_SEQ_CST);
        if (mode == failing_sync && number == target) {
            note("fsync", path);
            errno = EIO;
            return -1;
        }
        if (plain("fsync", path, 0)) return -1;
    }
    return data ? real_fdatasync(file) : real_fsync(file);
}

int fsync(int file) { return synced(file, 0); }
int fdatasync(int file) { return synced(file, 1); }

int ftruncate64(int file, off_t size) {
    char path[PATH_MAX];
    if (named(file, path) && plain("ftruncate", path, 0)) return -1;
    return real_ftruncate64(file, size);
}
int ftruncate(int file, off_t size) { return ftruncate64(file, size); }

int rename(const char *from, const char *to) {
    if (ours(to) && plain("rename", to, 0)) return -1;
    return real_rename(from, to);
}

int mkdir(const char *path, mode_t bits) {
    if (ours(path) && plain("mkdir", path, 1)) return -1;
    return real_mkdir(path, bits);
}

int unlink(const char *path) {
    if (ours(path) && plain("unlink", path, 0)) return -1;
    return real_unlink(path);
}

int open64(const char *path, int flags, ...) {
    mode_t bits = 0;
    if (flags & (O_CREAT | O_TMPFILE)) {
        va_list rest;
        va_start(rest, flags);
        bits = va_arg(rest, mode_t);
        va_end(rest);
    }
    // Before the first look-up the real function is not known.
    int counts = ours(path) && (flags & O_CREAT) && access(path, F_OK) != 0;
    if (counts && plain("open", path, 1)) return -1;
    return real_open64(path, flags, bits);
}

int open(const char *path, int flags, ...) {
    mode_t bits = 0;
    if (flags & (O_CREAT | O_TMPFILE)) {
        va_list rest;
        va_start(rest, flags);
        bits = va_arg(rest, mode_t);
        va_end(rest);
    }
    return open64(path, flags, bits);
}
