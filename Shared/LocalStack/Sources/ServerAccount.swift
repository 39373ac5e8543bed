import Foundation

/// The account that PostgreSQL runs under. It refuses root, so root hands it to Debian's `postgres`; anyone else runs it as themselves.
struct ServerAccount: Sendable {
  let user: uid_t
  let group: gid_t
  /// Put before a command, this runs it under the account; the process id stays the same.
  let prefix: [String]

  static let isRoot = geteuid() == 0

  init() throws(LocalStackError) {
    guard Self.isRoot else {
      (user, group, prefix) = (geteuid(), getegid(), [])
      return
    }
    guard let entry = getpwnam("postgres") else {
      throw LocalStackError(
        .missingProgram, part: "postgres", "There is no user `postgres` to run it as, and it refuses root; run `make packages`.")
    }
    (user, group) = (entry.pointee.pw_uid, entry.pointee.pw_gid)
    prefix = ["setpriv", "--reuid=\(user)", "--regid=\(group)", "--init-groups", "--inh-caps=-all"]
  }

  /// Whether the account can get to a folder, which it cannot inside another user's private home.
  func canReach(_ folder: String) -> Bool {
    var path = folder
    while path != "/" {
      var status = stat()
      guard stat(path, &status) == 0 else { return false }
      let isOwn = status.st_uid == user && status.st_mode & S_IXUSR != 0
      guard isOwn || status.st_mode & S_IXOTH != 0 else { return false }
      path = (path as NSString).deletingLastPathComponent
    }
    return true
  }

  /// Makes a folder that only the account can read.
  func makeFolder(_ path: String) throws {
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    try own(path)
  }

  /// Hands a file or folder to the account.
  func own(_ path: String) throws(LocalStackError) {
    guard chown(path, user, group) == 0 else {
      throw LocalStackError(
        .unusable, part: "postgres", "\(path) cannot be handed to user id \(user): \(String(cString: strerror(errno))).")
    }
  }
}
