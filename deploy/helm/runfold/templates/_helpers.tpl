{{- define "runfold.name" -}}
{{ default .Chart.Name .Values.nameOverride | trunc 50 | trimSuffix "-" }}
{{- end }}

{{- define "runfold.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{ .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- else if contains (include "runfold.name" .) .Release.Name -}}
{{ .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else -}}
{{ printf "%s-%s" .Release.Name (include "runfold.name" .) | trunc 50 | trimSuffix "-" }}
{{- end -}}
{{- end }}

{{- define "runfold.instance" -}}
app.kubernetes.io/name: {{ include "runfold.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- /* The labels of the pods that serve: those of the migration have another component, so that no Service finds them. */ -}}
{{- define "runfold.selector" -}}
{{ include "runfold.instance" . }}
app.kubernetes.io/component: service
{{- end }}

{{- define "runfold.labels" -}}
{{ include "runfold.instance" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "runfold.image" -}}
{{ .Values.image.repository }}{{ if .Values.image.digest }}@{{ .Values.image.digest }}{{ else }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{ end }}
{{- end }}

{{- define "runfold.serviceAccount" -}}
{{ if .Values.serviceAccount.create }}{{ default (include "runfold.fullname" .) .Values.serviceAccount.name }}{{ else }}{{ default "default" .Values.serviceAccount.name }}{{ end }}
{{- end }}

{{- define "runfold.databaseSecret" -}}
{{ .Values.database.existingSecret | default (include "runfold.fullname" .) }}
{{- end }}

{{- /* The Job runs before the release's own objects exist, so what it needs is made apart, and removed after it. */ -}}
{{- define "runfold.migration" -}}
{{ include "runfold.fullname" . }}-migration
{{- end }}

{{- define "runfold.ownerSecret" -}}
{{- if .Values.migration.existingSecret }}{{ .Values.migration.existingSecret -}}
{{- else if .Values.migration.url }}{{ include "runfold.migration" . -}}
{{- else }}{{ include "runfold.servingSecretOfJob" . }}{{ end -}}
{{- end }}

{{- define "runfold.servingSecretOfJob" -}}
{{ .Values.database.existingSecret | default (printf "%s-role" (include "runfold.migration" .)) }}
{{- end }}

{{- define "runfold.podSecurity" -}}
automountServiceAccountToken: false
# The variables of a Service named runfold would look like settings.
enableServiceLinks: false
securityContext: {{- toYaml .Values.podSecurityContext | nindent 2 }}
{{- with .Values.pullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "runfold.placement" -}}
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end }}

{{- define "runfold.mounts" -}}
volumeMounts:
  - {name: tmp, mountPath: /tmp}
  {{- with .Values.extraVolumeMounts }}{{ toYaml . | nindent 2 }}{{ end }}
{{- end }}

{{- define "runfold.volumes" -}}
volumes:
  - {name: tmp, emptyDir: {sizeLimit: 64Mi}}
  {{- with .Values.extraVolumes }}{{ toYaml . | nindent 2 }}{{ end }}
{{- end }}
