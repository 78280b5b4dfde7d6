"""Rights, as Django spells them, to users, API clients and the audit."""

ADD_APICLIENT = "access.add_apiclient"
CHANGE_APICLIENT = "access.change_apiclient"
VIEW_APICLIENT = "access.view_apiclient"
VIEW_LOGENTRY = "admin.view_logentry"
ADD_USER = "access.add_user"
CHANGE_USER = "access.change_user"
VIEW_USER = "access.view_user"
