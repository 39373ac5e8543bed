import Digests

/// One numbered step of the database's schema. Its SQL is inside the program, so an installed binary needs no files.
package struct Migration: Hashable, Sendable {
  package let number: Int
  /// `0001_accounts.sql`.
  package let file: String
  package let sql: String

  /// SHA-256 of the SQL, in hexadecimal digits.
  package var checksum: String { Digests.hex(Digests.sha256(sql.utf8)) }

  package init(number: Int, file: String, sql: String) {
    self.number = number
    self.file = file
    self.sql = sql
  }

  private init(_ number: Int, _ file: String, _ embedded: [UInt8]) {
    self.init(number: number, file: file, sql: String(decoding: embedded, as: UTF8.self))
  }

  /// Every migration of this build, in order. (SwiftPM puts `_` in place of the first digit.) One that has been released is never edited: a change is a new file and a new line.
  package static let all = [
    Migration(1, "0001_accounts.sql", PackageResources._001_accounts_sql),
    Migration(2, "0002_events.sql", PackageResources._002_events_sql),
    Migration(3, "0003_log_cursors.sql", PackageResources._003_log_cursors_sql),
    Migration(4, "0004_roles.sql", PackageResources._004_roles_sql),
    Migration(5, "0005_access.sql", PackageResources._005_access_sql),
    Migration(6, "0006_history.sql", PackageResources._006_history_sql),
    Migration(7, "0007_watch_sessions.sql", PackageResources._007_watch_sessions_sql),
    Migration(8, "0008_unproven_cameras.sql", PackageResources._008_unproven_cameras_sql),
    Migration(9, "0009_watches_by_user.sql", PackageResources._009_watches_by_user_sql),
    Migration(10, "0010_rules.sql", PackageResources._010_rules_sql),
    Migration(11, "0011_webhooks.sql", PackageResources._011_webhooks_sql),
    Migration(12, "0012_webmacs.sql", PackageResources._012_webmacs_sql),
    Migration(13, "0013_webhook_tidings.sql", PackageResources._013_webhook_tidings_sql),
    Migration(14, "0014_rule_retention.sql", PackageResources._014_rule_retention_sql),
    Migration(15, "0015_audit.sql", PackageResources._015_audit_sql),
  ]
}
