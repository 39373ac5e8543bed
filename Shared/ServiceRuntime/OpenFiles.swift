import Glibc

/// How many files and sockets this process may have open.
package enum OpenFiles {
  /// Raises the soft limit to the hard one. Shells give 1024, for the sake of programs that use `select`; ours do not, and serve more clients than that.
  package static func raiseLimit() {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0, limit.rlim_cur < limit.rlim_max else { return }
    limit.rlim_cur = limit.rlim_max
    // Refused only where the system forbids it: then the process lives with what it has.
    _ = setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
  }
}
