/// What is wrong with the database's schema, or with accounts to be stored: a code for programs, and a sentence for people that
/// names the thing and the remedy. PostgreSQL's own failures come as `PostgresError`.
package struct StoreError: Error, Hashable, Sendable, CustomStringConvertible {
  package enum Code: Hashable, Sendable {
    /// A migration that is applied reads otherwise now.
    case migrationEdited
    /// A migration's SQL was refused; nothing of it took effect.
    case migrationFailed
    /// The database has migrations that this build does not know.
    case schemaTooNew
    /// The database lacks migrations of this build.
    case schemaTooOld
    /// An account, an appliance or a share cannot be as described.
    case invalidAccount
    /// There is one of that name already.
    case alreadyExists
    /// The user or the appliance that is named does not exist.
    case notFound
    /// It cannot go while something else needs it.
    case inUse
    /// There can be no more of them.
    case tooMany
  }

  package let code: Code
  package let description: String

  package init(_ code: Code, _ description: String) {
    self.code = code
    self.description = description
  }
}
