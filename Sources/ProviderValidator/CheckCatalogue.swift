/// Every check there is, in the order of the report.
package enum CheckCatalogue {
  package static let all: [Check] =
    FileChecks.all + ELFChecks.all + LoadChecks.all + EntryChecks.all + DescriptorChecks.all + CreateChecks.all
    + LifeChecks.all + ServiceChecks.all + ChatCheck.all
}
