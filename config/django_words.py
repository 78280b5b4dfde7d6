"""Messages of Django whose Spanish uses usted: listed here, they get a translation of our own in the catalogue.

Nothing imports this module. `config.translations` extracts from every file, and LOCALE_PATHS go before Django's own.
"""

from django.utils.translation import gettext_noop as N_  # the short name that Babel extracts
from django.utils.translation import ngettext_lazy

FORMS = [
    N_("Enter a complete value."),
    N_("Enter a list of values."),
    N_("Enter a number."),
    N_("Enter a valid %(protocol)s address."),
    N_("Enter a valid URL."),
    N_("Enter a valid UUID."),
    N_("Enter a valid date."),
    N_("Enter a valid date/time."),
    N_("Enter a valid domain name."),
    N_("Enter a valid duration."),
    N_("Enter a valid email address."),
    N_("Enter a valid integer."),
    N_("Enter a valid time."),
    N_("Enter a valid value."),
    N_("Enter a whole number."),
    N_("Enter only digits separated by commas."),
    N_("Ensure this value is %(limit_value)s (it is %(show_value)s)."),
    N_("Ensure this value is a multiple of step size %(limit_value)s."),
    N_("Ensure this value is greater than or equal to %(limit_value)s."),
    N_("Ensure this value is less than or equal to %(limit_value)s."),
    ngettext_lazy(
        "Ensure that there are no more than %(max)s decimal place.",
        "Ensure that there are no more than %(max)s decimal places.",
        "max",
    ),
    ngettext_lazy(
        "Ensure that there are no more than %(max)s digit before the decimal point.",
        "Ensure that there are no more than %(max)s digits before the decimal point.",
        "max",
    ),
    ngettext_lazy(
        "Ensure that there are no more than %(max)s digit in total.",
        "Ensure that there are no more than %(max)s digits in total.",
        "max",
    ),
    ngettext_lazy(
        "Ensure this filename has at most %(max)d character (it has %(length)d).",
        "Ensure this filename has at most %(max)d characters (it has %(length)d).",
        "max",
    ),
    ngettext_lazy(
        "Ensure this value has at least %(limit_value)d character (it has %(show_value)d).",
        "Ensure this value has at least %(limit_value)d characters (it has %(show_value)d).",
        "limit_value",
    ),
    ngettext_lazy(
        "Ensure this value has at most %(limit_value)d character (it has %(show_value)d).",
        "Ensure this value has at most %(limit_value)d characters (it has %(show_value)d).",
        "limit_value",
    ),
    N_("No file was submitted. Check the encoding type on the form."),
    N_("Please correct the duplicate data for %(field)s."),
    N_("Please correct the duplicate data for %(field)s, which must be unique."),
    N_("Please correct the duplicate values below."),
    N_("Please either submit a file or check the clear checkbox, not both."),
]
PAGES = [
    N_("Click here to select the objects across all pages"),
    N_("Hold down “Control”, or “Command” on a Mac, to select more than one."),
    ngettext_lazy("Please correct the error below.", "Please correct the errors below."),
    N_("Select %s"),
    N_("Select %s to change"),
    N_("Select %s to view"),
    N_("Select all objects on this page for an action"),
    N_("Select this object for an action - {}"),
    N_("The {name} “{obj}” was added successfully. You may add another {name} below."),
    N_("The {name} “{obj}” was changed successfully. You may add another {name} below."),
    N_("The {name} “{obj}” was changed successfully. You may edit it again below."),
    N_("You may edit it again below."),
]
PASSWORDS = [
    N_("Enter the same password as before, for verification."),
    N_(
        "Please enter your old password, for security’s sake, and then enter your new password twice so we can verify "
        "you typed it in correctly."
    ),
    N_("Enter a valid username. This value may contain only letters, numbers, and @/./+/-/_ characters."),
    N_("Please enter a correct %(username)s and password. Note that both fields may be case-sensitive."),
    N_("Your old password was entered incorrectly. Please enter it again."),
    N_("Your password can’t be a commonly used password."),
    N_("Your password can’t be entirely numeric."),
    N_("Your password can’t be too similar to your other personal information."),
    ngettext_lazy(
        "Your password must contain at least %(min_length)d character.",
        "Your password must contain at least %(min_length)d characters.",
        "min_length",
    ),
    N_("Your password was changed."),
]
