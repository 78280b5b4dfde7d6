"""Standard fields of a Marketo instance that are no columns here.

The Marketo API describes them, and clients can request them. A field is created like one added by the team when its
first value is received (`people.fields.editing.add_marketo_standard`).
"""

from collections.abc import Mapping

from django.utils.translation import gettext_noop as _

# API name in Marketo's spelling: (label, data type); stored in English and shown in the user's language
MARKETO_STANDARD: Mapping[str, tuple[str, str]] = {
    "site": (_("Site"), "string"),
    "billingStreet": (_("Billing Address"), "string"),
    "billingCity": (_("Billing City"), "string"),
    "billingState": (_("Billing State"), "string"),
    "billingCountry": (_("Billing Country"), "string"),
    "billingPostalCode": (_("Billing Postal Code"), "string"),
    "mainPhone": (_("Main Phone"), "phone"),
    "sicCode": (_("SIC Code"), "string"),
    "mktoCompanyNotes": (_("Company Notes"), "text"),
    "externalCompanyId": (_("External Company ID"), "string"),
    "personType": (_("Person Type"), "string"),
    "mktoIsPartner": (_("Is Partner"), "boolean"),
    "mktoIsCustomer": (_("Is Customer"), "boolean"),
    "fax": (_("Fax Number"), "phone"),
    "contactCompany": (_("Contact Company"), "string"),
    "personTimeZone": (_("Person Time Zone"), "string"),
    "originalSourceType": (_("Original Source Type"), "string"),
    "originalSourceInfo": (_("Original Source Info"), "text"),
    "registrationSourceType": (_("Registration Source Type"), "string"),
    "registrationSourceInfo": (_("Registration Source Info"), "text"),
    "originalSearchEngine": (_("Original Search Engine"), "string"),
    "originalSearchPhrase": (_("Original Search Phrase"), "text"),
    "originalReferrer": (_("Original Referrer"), "text"),
    "mktoDoNotCallCause": (_("Do Not Call Cause"), "string"),
    "mktoPersonNotes": (_("Person Notes"), "text"),
    "anonymousIP": (_("Anonymous IP"), "string"),
    "inferredCompany": (_("Inferred Company"), "string"),
    "inferredCountry": (_("Inferred Country"), "string"),
    "inferredCity": (_("Inferred City"), "string"),
    "inferredStateRegion": (_("Inferred State Region"), "string"),
    "inferredPostalCode": (_("Inferred Postal Code"), "string"),
    "inferredMetropolitanArea": (_("Inferred Metropolitan Area"), "string"),
    "inferredPhoneAreaCode": (_("Inferred Phone Area Code"), "string"),
    "department": (_("Department"), "string"),
    "emailSuspended": (_("Email Suspended"), "boolean"),
    "emailSuspendedCause": (_("Email Suspended Cause"), "string"),
    "emailSuspendedAt": (_("Email Suspended At"), "datetime"),
    "externalSalesPersonId": (_("External Sales Person ID"), "string"),
    "leadPerson": (_("Related Person ID"), "integer"),
    "leadRole": (_("Role"), "string"),
    "leadStatus": (_("Person Status"), "string"),
    "urgency": (_("Urgency"), "float"),
    "priority": (_("Priority"), "integer"),
    "relativeScore": (_("Relative Score"), "integer"),
    "relativeUrgency": (_("Relative Urgency"), "integer"),
    "rating": (_("Person Rating"), "string"),
    "personPrimaryLeadInterest": (_("Primary Interest ID"), "integer"),
    "leadRevenueCycleModelId": (_("Revenue Cycle Model ID"), "integer"),
    "leadRevenueStageId": (_("Revenue Stage ID"), "integer"),
    "acquisitionProgramId": (_("Acquisition Program ID"), "integer"),
    "mktoAcquisitionDate": (_("Acquisition Date"), "datetime"),
    "marketingSuspendedCause": (_("Marketing Suspended Cause"), "string"),
    "blackListed": (_("Blocklisted"), "boolean"),
    "blackListedCause": (_("Blocklisted Cause"), "string"),
}
